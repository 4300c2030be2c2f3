/* The activation budget: what of a training step's forward pass is kept, so that the backward pass need not compute it
 * (nor, for attention, send it between ranks) again. Pure: the same sizes give the same choice.
 *
 *   part           numbers a token              what the backward pass does without
 *   output         H (dh + 2)                   scores and values; the way of o, m, z between ranks
 *   second stream  d                            the second product of the feed-forward
 *   queries        2 or 3 H dh, at the owner    projections; the way of queries, keys, values between ranks
 *   first stream   d                            the output projection
 *   hidden         d_ff                         the first product of the feed-forward
 *
 * A stream is kept as it was before a sublayer added to it, so that it need not be rebuilt by subtracting; with
 * ordinary residuals streams are kept anyway. Parts are taken in the order of the gain of a byte, of all layers alike.
 */
#ifndef RF_MODEL_BUDGET_H
#define RF_MODEL_BUDGET_H

#include "model/blocks.h"
#include "model/operations.h"
#include "reformer/model.h"

/* What an allocation may take beyond its bytes: alignment, and the sanitizer's red zone. */
enum { RF_KEPT_SLACK = 128 };

/* One thing that may be kept. */
typedef struct rf_budget_item {
  int64_t bytes;
  double gain; /* operations */
  int after;   /* the item without which this one is of no use; -1: none */
} rf_budget_item;

/* Chooses among n items, the best gain of a byte first, of equals the first, what fits into `bytes`: kept[n] out.
 * Returns the bytes of what was chosen. */
int64_t rf_budget_choose(int64_t n, const rf_budget_item *items, int64_t bytes, bool *kept);

/* Of one layer; index 0: attention and the stream it adds to, 1: the feed-forward and its. */
typedef struct rf_layer_keep {
  int level[2]; /* see nn/sublayer.h */
  bool stream[2];
} rf_layer_keep;

/* How often the parts of a layer are computed in a training step, in forward passes. */
typedef struct rf_passes {
  double project, attend, output, feed_forward;
} rf_passes;

/* Forward, again for the reverse direction where it is not kept, and twice for the gradients. With ordinary residuals
 * no stream is rebuilt, as if all were kept. */
rf_passes rf_passes_of_layer(const rf_config *config, rf_layer_keep keep);

/* What keeping a part of a layer saves a training step, per token. */
rf_operations rf_budget_gain(const rf_config *config, int64_t layer, int64_t padded, rf_keep part);

/* keep: [n_layers] out. call: sequences, length, mesh of a training step's calls; tokens of the rank with most, so that
 * all ranks choose alike. RF_FAILED for memory. */
rf_status rf_budget_plan(const rf_blocks *blocks, const rf_call *call, int64_t bytes, rf_layer_keep *keep,
                         rf_keeping *keeping);

#endif
