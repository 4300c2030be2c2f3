#include "model/stack.h"

rf_status rf_reversible_forward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *x1, real *x2) {
  for (int64_t i = 0; i < stack->blocks->n_layers; i++) {
    const rf_sublayer *f = &stack->blocks->layers[i].attention, *g = &stack->blocks->layers[i].feed_forward;
    const real *params;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i + 1)));
    RF_TRY(f->ops->apply(f, call, params + f->first, x2, 1, x1, kept->saved[2 * i]));
    RF_TRY(g->ops->apply(g, call, params + g->first, x1, 1, x2, kept->saved[2 * i + 1]));
    rf_store_return(stack->store, rf_layer_block(i));
  }
  return RF_OK;
}

rf_status rf_reversible_backward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *x1, real *x2,
                                 real *dx1, real *dx2) {
  for (int64_t i = stack->blocks->n_layers - 1; i >= 0; i--) {
    const rf_sublayer *f = &stack->blocks->layers[i].attention, *g = &stack->blocks->layers[i].feed_forward;
    const real *params;
    real *gradient;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    if (i > 0) RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i - 1)));
    RF_TRY(rf_store_borrow_gradient(stack->store, rf_layer_block(i), &gradient));
    RF_TRY(
        g->ops->apply_vjp(g, call, params + g->first, x1, dx2, x2, dx1, gradient + g->first, kept->saved[2 * i + 1]));
    RF_TRY(f->ops->apply_vjp(f, call, params + f->first, x2, dx1, x1, dx2, gradient + f->first, kept->saved[2 * i]));
    RF_TRY(rf_store_hand_back(stack->store, rf_layer_block(i)));
    rf_store_return(stack->store, rf_layer_block(i));
  }
  return RF_OK;
}
