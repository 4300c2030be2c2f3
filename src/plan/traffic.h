/* Bytes that a training step sends, by purpose. */
#ifndef RF_PLAN_TRAFFIC_H
#define RF_PLAN_TRAFFIC_H

#include "comm/mesh.h"
#include "nn/attention_saved.h"
#include "nn/attention_traffic.h"
#include "plan/memory.h"

enum { RF_ATTENTION_KINDS = 3 };

typedef struct rf_plan_traffic {
  double bytes[RF_TRAFFIC_PURPOSES]; /* of a step, of all ranks; parameters and gradients exact, rows expected over
                                        random buckets, histogram and plan exact where dense */
  double rows_a_token;               /* remote owners of a token and head, of lsh layers; 0 without any */
  /* Of one sublayer of each kind and level of the stash in use and one micro-batch, seen from a rank in the middle:
   * those at the ends have no neighbour on one side. */
  rf_attention_traffic attention[RF_ATTENTION_KINDS][RF_ATTENTION_LEVELS];
  double fetches, handed_back; /* blocks' full vectors that are gathered; whose gradients are scattered */
} rf_plan_traffic;

rf_status rf_plan_traffic_of(const rf_config *config, int64_t sequence, int64_t data, const rf_plan_stash *stash,
                             rf_plan_traffic *traffic);

#endif
