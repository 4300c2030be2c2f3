#include "model/stack.h"
#include <string.h>

static size_t stream_bytes(const rf_stack *stack, const rf_call *call) {
  const int64_t d = stack->blocks->layers[0].attention.config->model.d_model;
  return (size_t)(call->sequences * call->tokens * d) * sizeof(real);
}

rf_status rf_ordinary_forward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *x) {
  const size_t bytes = stream_bytes(stack, call);
  for (int64_t i = 0; i < stack->blocks->n_layers; i++) {
    const real *params;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i + 1)));
    for (int s = 0; s < RF_BRANCHES; s++) {
      const rf_sublayer *f = rf_layer_sublayer(&stack->blocks->layers[i], (rf_branch)s);
      real *input = stash->activations[i][s];
      const rf_call own = rf_stash_call(call, stash, i, (rf_branch)s);
      memcpy(input, x, bytes);
      RF_TRY(f->ops->apply(f, &own, params + f->first, input, 1, x, stash->saved[i][s]));
    }
    rf_store_return(stack->store, rf_layer_block(i));
  }
  return RF_OK;
}

rf_status rf_ordinary_backward(const rf_stack *stack, const rf_call *call, const rf_stash *stash, real *dx) {
  const size_t bytes = stream_bytes(stack, call);
  const rf_mark mark = rf_arena_mark(call->scratch);
  real *dy; /* a sublayer reads dy while it adds to dx, so they must be two */
  RF_TRY(rf_arena_take(call->scratch, bytes, 1, &dy));
  for (int64_t i = stack->blocks->n_layers - 1; i >= 0; i--) {
    const real *params;
    real *gradient;
    RF_TRY(rf_store_lend(stack->store, rf_layer_block(i), &params));
    if (i > 0) RF_TRY(rf_store_prefetch(stack->store, rf_layer_block(i - 1)));
    RF_TRY(rf_store_borrow_gradient(stack->store, rf_layer_block(i), &gradient));
    for (int s = RF_BRANCHES - 1; s >= 0; s--) {
      const rf_sublayer *f = rf_layer_sublayer(&stack->blocks->layers[i], (rf_branch)s);
      const rf_call own = rf_stash_call(call, stash, i, (rf_branch)s);
      const rf_sublayer_vjp task = {.params = params + f->first,
                                    .x = stash->activations[i][s],
                                    .dy = dy,
                                    .dx = dx,
                                    .dparams = gradient + f->first,
                                    .saved = stash->saved[i][s]};
      memcpy(dy, dx, bytes);
      RF_TRY(f->ops->apply_vjp(f, &own, &task));
    }
    RF_TRY(rf_store_hand_back(stack->store, rf_layer_block(i)));
    rf_store_return(stack->store, rf_layer_block(i));
  }
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}
