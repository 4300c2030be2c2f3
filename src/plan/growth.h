/* How a step grows with the ranks that share a sequence, at a fixed number of tokens a rank: where the algorithm stops
 * to scale. */
#ifndef RF_PLAN_GROWTH_H
#define RF_PLAN_GROWTH_H

#include "plan/time.h"
#include <jansson.h>

enum { RF_MOST_GROWTH = 16 };

typedef struct rf_growth {
  int n;
  bool timed;
  int64_t tokens_a_rank;
  struct {
    int64_t ranks, length;
    double rows_a_token;        /* remote owners of a token and head; at most the rounds */
    double row_bytes;           /* of a rank and step, halos apart */
    double halo_bytes;          /* edge chunks */
    double metadata_bytes;      /* histograms and plans */
    double store_bytes;         /* parameters and gradients */
    double messages;            /* of a rank */
    double message_bytes;       /* mean of a message of rows */
    double memory;              /* of the rank with most */
    double seconds, efficiency; /* against one rank with as many tokens */
  } at[RF_MOST_GROWTH];
} rf_growth;

/* From one rank to 4,096 at powers of four, each with as many tokens as a rank of `sequence` has, one sequence a step.
 * room: bytes that a rank may take; 0: not known. */
rf_status rf_growth_compute(const rf_config *config, int64_t sequence, double room, const rf_rates *cluster,
                            rf_growth *growth);
void rf_growth_print(const rf_growth *growth);
json_t *rf_growth_to_json(const rf_growth *growth);

#endif
