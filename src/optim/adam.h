/* Adam (Kingma and Ba 2015, Algorithm 1) with decoupled weight decay (Loshchilov and Hutter 2019). */
#ifndef RF_OPTIM_ADAM_H
#define RF_OPTIM_ADAM_H

#include "optim/pieces.h"
#include "reformer/config.h"

typedef struct rf_adam {
  int n_pieces;
  rf_piece *pieces;
  real **first, **second; /* [blocks][count of the block's shard]: the moments m and v */
} rf_adam;

rf_status rf_adam_create(rf_store *store, rf_arena *arena, rf_adam *adam);
void rf_adam_update(const rf_adam *adam, const rf_optimizer_config *config, rf_store *store, int64_t step, double rate,
                    double gradient_scale);

#endif
