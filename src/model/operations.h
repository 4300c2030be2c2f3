/* How many operations a training step needs, counted from shapes. */
#ifndef RF_MODEL_OPERATIONS_H
#define RF_MODEL_OPERATIONS_H

#include "reformer/config.h"

typedef struct rf_operations {
  double dense;     /* projections and feed-forward */
  double attention; /* scores and values */
} rf_operations;

/* Of one training step, per token of `padded` long sequences: multiply-adds of the layers, times 2 operations, times 4
 * passes (forward, recomputation, and two for the gradients). Hashing, exponentials, masks, norms, embedding, head and
 * padding earn nothing. Per token and layer, forward, with keys = the window of a query:
 *
 *   projections (3 or 4) d H dh  +  feed-forward 2 d d_ff  +  scores and values 2 keys H dh
 *   keys: lsh rounds * window * chunk; local window * chunk; full: the mean number of keys allowed */
rf_operations rf_operations_per_token(const rf_config *config, int64_t padded);

#endif
