/* The activation budget: what of a training step's forward pass is stashed, so that the backward pass need not compute
 * it (nor, for attention, send it between ranks) again. Pure: the same sizes give the same choice.
 *
 *   part           numbers a token              what the backward pass does without
 *   output         H (dh + 2)                   scores and values; the way of o, m, z between ranks
 *   second stream  d                            the second product of the feed-forward
 *   queries        2 or 3 H dh, at the owner    projections; the way of queries, keys, values between ranks
 *   first stream   d                            the output projection
 *   hidden         d_ff                         the first product of the feed-forward
 *
 * A stream is stashed as it was before a sublayer added to it, so that it need not be rebuilt by subtracting; with
 * ordinary residuals streams are held anyway. Parts are taken in the order of the gain of a byte, of all layers alike.
 */
#ifndef RF_MODEL_BUDGET_H
#define RF_MODEL_BUDGET_H

#include "model/operations.h"
#include "model/stash.h"

/* What an allocation may take beyond its bytes: alignment, and the sanitizer's red zone. */
enum { RF_STASH_SLACK = 128 };

/* One thing that may be stashed. */
typedef struct rf_budget_item {
  int64_t bytes;
  double gain; /* operations */
  int after;   /* the item without which this one is of no use; -1: none */
} rf_budget_item;

/* Chooses among n items, the best gain of a byte first, of equals the first, what fits into `bytes`: chosen[n] out.
 * Returns the bytes of what was chosen. */
int64_t rf_budget_choose(int64_t n, const rf_budget_item *items, int64_t bytes, bool *chosen);

/* What a part of a layer in the stash saves a training step, per token. */
rf_operations rf_budget_gain(const rf_config *config, int64_t layer, int64_t padded, rf_stash_part part);

/* stash: [n_layers] out. call: sequences, length, mesh of a training step's calls; tokens of the rank with most, so
 * that all ranks choose alike. RF_FAILED for memory. */
rf_status rf_budget_plan(const rf_blocks *blocks, const rf_call *call, int64_t bytes, rf_layer_stash *stash,
                         rf_stash_summary *summary);

#endif
