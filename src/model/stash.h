/* What of the forward pass layers stash for the backward pass: a choice for each layer, and in words. */
#ifndef RF_MODEL_STASH_H
#define RF_MODEL_STASH_H

#include "model/blocks.h"
#include "reformer/stash.h"
#include <stddef.h>

/* What of one layer is stashed: of each sublayer and of the stream that it adds to. */
typedef struct rf_layer_stash {
  int level[RF_BRANCHES]; /* see nn/sublayer.h */
  bool stream[RF_BRANCHES];
} rf_layer_stash;

/* How often the parts of a layer are computed in a training step, in forward passes. */
typedef struct rf_passes {
  double project, attend, output, feed_forward;
} rf_passes;

/* Forward, again for the reverse direction where it is not stashed, and twice for the gradients. With ordinary
 * residuals no stream is rebuilt, as if all were stashed. */
rf_passes rf_passes_of_layer(const rf_config *config, rf_layer_stash stash);

/* "attention outputs of 6, second streams of 4", or "nothing". Returns buffer. */
const char *rf_stash_describe(const rf_stash_summary *summary, char *buffer, size_t size);

#endif
