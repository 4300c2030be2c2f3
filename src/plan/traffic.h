/* Bytes that a training step sends, by purpose. */
#ifndef RF_PLAN_TRAFFIC_H
#define RF_PLAN_TRAFFIC_H

#include "comm/mesh.h"
#include "nn/attention_traffic.h"
#include "reformer/config.h"

typedef struct rf_plan_traffic {
  double bytes[RF_TRAFFIC_PURPOSES]; /* of a step, of all ranks; parameters and gradients exact, rows expected over
                                        random buckets, histogram and plan exact where dense */
  double rows_a_token;               /* remote owners of a token and head, mean over lsh layers; 0 without any */
  double fetches, handed_back;       /* blocks' full vectors that are gathered; whose gradients are scattered */
} rf_plan_traffic;

rf_status rf_plan_traffic_of(const rf_config *config, int64_t sequence, int64_t data, rf_plan_traffic *traffic);

#endif
