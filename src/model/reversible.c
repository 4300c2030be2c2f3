#include "model/stack.h"
#include <string.h>

static void copy(const rf_call *call, int64_t d, const real *from, real *to) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < call->sequences * call->tokens; row++)
    memcpy(to + row * d, from + row * d, (size_t)d * sizeof(real));
}

/* y += F(LN(x)) of sublayer i; what is to be kept of y is copied before. */
static rf_status apply(const rf_sublayer *f, const rf_call *call, const rf_kept *kept, int64_t i, const real *params,
                       const real *x, real *y) {
  const rf_call own = rf_stack_call(call, kept, i);
  if (kept->activations[i]) copy(call, f->config->model.d_model, y, kept->activations[i]);
  return f->ops->apply(f, &own, params + f->first, x, 1, y, kept->saved[i]);
}

rf_status rf_reversible_forward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *x1, real *x2) {
  for (int64_t i = 0; i < stack->blocks->n_layers; i++) {
    const real *params;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i + 1)));
    RF_TRY(apply(&stack->blocks->layers[i].attention, call, kept, 2 * i, params, x2, x1));
    RF_TRY(apply(&stack->blocks->layers[i].feed_forward, call, kept, 2 * i + 1, params, x1, x2));
    rf_store_return(stack->store, rf_layer_block(i));
  }
  return RF_OK;
}

/* *y becomes what it was before sublayer i: rebuilt in place, or where it was kept. */
static rf_status apply_vjp(const rf_sublayer *f, const rf_call *call, const rf_kept *kept, int64_t i,
                           const real *params, const real *x, const real *dy, real **y, real *dx, real *dparams) {
  const rf_call own = rf_stack_call(call, kept, i);
  real *before = kept->activations[i];
  RF_TRY(
      f->ops->apply_vjp(f, &own, params + f->first, x, dy, before ? NULL : *y, dx, dparams + f->first, kept->saved[i]));
  if (before) *y = before;
  return RF_OK;
}

rf_status rf_reversible_backward(const rf_stack *stack, const rf_call *call, const rf_kept *kept, real *x1, real *x2,
                                 real *dx1, real *dx2) {
  real *y1 = x1, *y2 = x2;
  for (int64_t i = stack->blocks->n_layers - 1; i >= 0; i--) {
    const rf_sublayer *f = &stack->blocks->layers[i].attention, *g = &stack->blocks->layers[i].feed_forward;
    const real *params;
    real *gradient;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    if (i > 0) RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i - 1)));
    RF_TRY(rf_store_borrow_gradient(stack->store, rf_layer_block(i), &gradient));
    RF_TRY(apply_vjp(g, call, kept, 2 * i + 1, params, y1, dx2, &y2, dx1, gradient));
    RF_TRY(apply_vjp(f, call, kept, 2 * i, params, y2, dx1, &y1, dx2, gradient));
    RF_TRY(rf_store_hand_back(stack->store, rf_layer_block(i)));
    rf_store_return(stack->store, rf_layer_block(i));
  }
  const int64_t d = stack->blocks->layers[0].attention.config->model.d_model;
  if (y1 != x1) copy(call, d, y1, x1);
  if (y2 != x2) copy(call, d, y2, x2);
  return RF_OK;
}
