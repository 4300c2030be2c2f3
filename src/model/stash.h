/* What of the forward pass layers stash for the backward pass: the choice for each layer, in words and in passes,
 * and the stash itself. */
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

/* What the forward pass leaves for the backward pass, of each layer's sublayers. */
typedef struct rf_stash {
  void *(*saved)[RF_BRANCHES]; /* at its level (nn/sublayer.h) */
  int (*level)[RF_BRANCHES];
  /* [sequences, tokens, d]. ordinary: the sublayer's input; reversible: the stream that it adds to, as it was before,
   * or NULL where that is rebuilt */
  real *(*activations)[RF_BRANCHES];
} rf_stash;

/* The call of a layer's sublayer, with its level. */
rf_call rf_stash_call(const rf_call *call, const rf_stash *stash, int64_t layer, rf_branch branch);

/* Takes the stash from the call's arena. chosen: [n_layers] what is stashed for the backward pass; NULL: hash buckets
 * only. `backward`: whether a backward pass will follow. */
rf_status rf_stash_take(const rf_blocks *blocks, const rf_layer_stash *chosen, const rf_call *call, bool backward,
                        rf_stash *stash);

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
