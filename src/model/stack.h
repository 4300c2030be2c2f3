/* The stack of layers, forward and backward, for both kinds of residuals.
 *
 *   reversible   y1 = x1 + Attention(LN(x2));  y2 = x2 + FeedForward(LN(y1)), in place over two streams. Backward
 *                rebuilds each layer's input from its output: nothing is held but the hash buckets (paper, eqs. 7
 *                to 9), and what a budget allows (model/budget.h).
 *   ordinary     x += Attention(LN(x));  x += FeedForward(LN(x)); the input of every sublayer is held. The baseline. */
#ifndef RF_MODEL_STACK_H
#define RF_MODEL_STACK_H

#include "model/stash.h"
#include "reformer/store.h"

typedef struct rf_stack {
  const rf_blocks *blocks;
  rf_store *store;
} rf_stack;

/* x1, x2: [sequences, tokens, d], become the streams after the last layer. */
rf_status rf_reversible_forward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *x1, real *x2);
/* x1, x2 become the streams before the first layer again; dx1, dx2 their gradients. */
rf_status rf_reversible_backward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *x1, real *x2,
                                 real *dx1, real *dx2);

rf_status rf_ordinary_forward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *x);
rf_status rf_ordinary_backward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *dx);

#endif
