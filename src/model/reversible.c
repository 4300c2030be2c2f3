#include "model/stack.h"
#include <string.h>

static void copy_stream(const rf_call *call, int64_t d, const real *from, real *to) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < call->sequences * call->tokens; row++)
    memcpy(to + row * d, from + row * d, (size_t)d * sizeof(real));
}

/* y += F(LN(x)) of a sublayer; where y is to be stashed it is copied before. params: of its layer. */
static rf_status add_sublayer(const rf_stack *stack, const rf_call *call, const rf_stash *stash, int64_t layer,
                              rf_branch branch, const real *params, const real *x, real *y) {
  const rf_sublayer *f = rf_layer_sublayer(&stack->blocks->layers[layer], branch);
  const rf_call own = rf_stash_call(call, stash, layer, branch);
  real *before = stash->activations[layer][branch];
  if (before) copy_stream(call, f->config->model.d_model, y, before);
  return f->ops->apply(f, &own, params + f->first, x, 1, y, stash->saved[layer][branch]);
}

rf_status rf_reversible_forward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *x1, real *x2) {
  for (int64_t i = 0; i < stack->blocks->n_layers; i++) {
    const real *params;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i + 1)));
    RF_TRY(add_sublayer(stack, call, stash, i, RF_BRANCH_ATTENTION, params, x2, x1));
    RF_TRY(add_sublayer(stack, call, stash, i, RF_BRANCH_FEED_FORWARD, params, x1, x2));
    rf_store_return(stack->store, rf_layer_block(i));
  }
  return RF_OK;
}

/* *y becomes what it was before the sublayer: rebuilt in place, or where it was stashed. task: x, dy and dx, and
 * params and dparams of the layer. */
static rf_status undo_sublayer(const rf_stack *stack, const rf_call *call, const rf_stash *stash, int64_t layer,
                               rf_branch branch, rf_sublayer_vjp task, real **y) {
  const rf_sublayer *f = rf_layer_sublayer(&stack->blocks->layers[layer], branch);
  const rf_call own = rf_stash_call(call, stash, layer, branch);
  real *before = stash->activations[layer][branch];
  task.params += f->first;
  task.dparams += f->first;
  task.y = before ? NULL : *y;
  task.saved = stash->saved[layer][branch];
  RF_TRY(f->ops->apply_vjp(f, &own, &task));
  if (before) *y = before;
  return RF_OK;
}

rf_status rf_reversible_backward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *x1, real *x2,
                                 real *dx1, real *dx2) {
  real *y1 = x1, *y2 = x2;
  for (int64_t i = stack->blocks->n_layers - 1; i >= 0; i--) {
    const real *params;
    real *gradient;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    if (i > 0) RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i - 1)));
    RF_TRY(rf_store_borrow_gradient(stack->store, rf_layer_block(i), &gradient));
    rf_sublayer_vjp task = {.params = params, .x = y1, .dy = dx2, .dx = dx1, .dparams = gradient};
    RF_TRY(undo_sublayer(stack, call, stash, i, RF_BRANCH_FEED_FORWARD, task, &y2));
    task = (rf_sublayer_vjp){.params = params, .x = y2, .dy = dx1, .dx = dx2, .dparams = gradient};
    RF_TRY(undo_sublayer(stack, call, stash, i, RF_BRANCH_ATTENTION, task, &y1));
    RF_TRY(rf_store_hand_back(stack->store, rf_layer_block(i)));
    rf_store_return(stack->store, rf_layer_block(i));
  }
  const int64_t d = stack->blocks->layers[0].attention.config->model.d_model;
  if (y1 != x1) copy_stream(call, d, y1, x1);
  if (y2 != x2) copy_stream(call, d, y2, x2);
  return RF_OK;
}
