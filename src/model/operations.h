/* How many operations a training step needs, counted from shapes. */
#ifndef RF_MODEL_OPERATIONS_H
#define RF_MODEL_OPERATIONS_H

#include "reformer/config.h"

/* Of a token; a multiply-add counts two. */
typedef struct rf_operations {
  double dense;     /* projections and feed-forward */
  double attention; /* scores and values */
  double hashing;   /* rotations of the queries */
  double head;      /* logits and their gradients */
  double other;     /* norms, exponentials, activations: about */
} rf_operations;

/* Of one training step, per token of `padded` long sequences. dense and attention are what shares of a machine's peak
 * count: multiply-adds of the layers, times 2 operations, times 4 passes (forward, recomputation, and two for the
 * gradients; with ordinary residuals the last products of a sublayer are not computed again, which counts). Per token
 * and layer, forward, with keys = the window of a query:
 *
 *   projections (3 or 4) d H dh  +  feed-forward 2 d d_ff  +  scores and values 2 keys H dh
 *   keys: lsh rounds * window * chunk; local window * chunk; full: the mean number of keys allowed
 *
 * hashing: once, rounds * columns * dh a head. head: three passes of width * vocab. other: 8 operations a number of a
 * norm, a logit or a hidden activation, each computed twice and once in reverse. Padding earns nothing. */
rf_operations rf_operations_per_token(const rf_config *config, int64_t padded);

/* The dense operations of one layer by part, forward only. */
typedef struct rf_dense_operations {
  double project, output, feed_forward;
} rf_dense_operations;

rf_dense_operations rf_dense_of_layer(const rf_config *config, int64_t layer);

/* Of one layer, forward only. */
rf_operations rf_operations_of_layer(const rf_config *config, int64_t layer, int64_t padded);

#endif
