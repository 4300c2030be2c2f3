/* The stack of layers, forward and backward, for both kinds of residuals.
 *
 *   reversible   y1 = x1 + Attention(LN(x2));  y2 = x2 + FeedForward(LN(y1)), in place over two streams. Backward
 * rebuilds each layer's input from its output: nothing is stored but the hash buckets (paper, eqs. 7 to 9), and what a
 *                budget allows (model/budget.h).
 *   ordinary     x += Attention(LN(x));  x += FeedForward(LN(x)); the input of every sublayer is stored. The baseline.
 */
#ifndef RF_MODEL_STACK_H
#define RF_MODEL_STACK_H

#include "model/blocks.h"
#include "model/budget.h"
#include "nn/sublayer.h"

typedef struct rf_stack {
  const rf_blocks *blocks;
  rf_store *store;
  const rf_layer_keep *keep; /* [n_layers] what is kept for the backward pass; NULL: hash buckets only */
} rf_stack;

/* What the forward pass keeps for the backward pass. */
typedef struct rf_kept {
  void **saved; /* [2 layers] of each sublayer, at its level */
  int *level;   /* [2 layers] */
  /* [2 layers] each [sequences, tokens, d]. ordinary: input of each sublayer; reversible: the stream that it adds to,
   * as it was before, or NULL where that is rebuilt */
  real **activations;
} rf_kept;

/* The call of sublayer i (2 layer: attention, 2 layer + 1: feed-forward), with its level. */
rf_call rf_stack_call(const rf_call *call, const rf_kept *kept, int64_t i);

/* Takes what is kept from the call's arena. `backward`: whether a backward pass will follow. */
rf_status rf_stack_keep(const rf_stack *stack, const rf_call *call, bool backward, rf_kept *kept);

/* x1, x2: [sequences, tokens, d], become the streams after the last layer. */
rf_status rf_reversible_forward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *x1, real *x2);
/* x1, x2 become the streams before the first layer again; dx1, dx2 their gradients. */
rf_status rf_reversible_backward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *x1, real *x2,
                                 real *dx1, real *dx2);

rf_status rf_ordinary_forward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *x);
rf_status rf_ordinary_backward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *dx);

#endif
