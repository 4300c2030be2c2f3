#include "model/stack.h"

rf_call rf_stack_call(const rf_call *call, const rf_stash *stash, int64_t layer, rf_branch branch) {
  rf_call own = *call;
  own.level = stash->level[layer][branch];
  return own;
}

/* Without a backward pass, layers take turns with one buffer of each sort. */
typedef struct shared_buffers {
  bool backward;
  void *saved;
  real *activation;
} shared_buffers;

static rf_status take_sublayer(const rf_stack *stack, const rf_call *call, int64_t layer, rf_branch branch,
                               shared_buffers *shared, rf_stash *stash) {
  const rf_sublayer *sublayer = rf_layer_sublayer(&stack->blocks->layers[layer], branch);
  const rf_layer_stash *chosen = stack->chosen && shared->backward ? &stack->chosen[layer] : NULL;
  if (chosen) stash->level[layer][branch] = chosen->level[branch];
  const rf_call own = rf_stack_call(call, stash, layer, branch);
  const size_t bytes = sublayer->ops->saved_bytes(sublayer, &own);
  if (bytes > 0) {
    if (shared->backward || !shared->saved) RF_TRY(rf_arena_take(call->scratch, bytes, 1, &shared->saved));
    stash->saved[layer][branch] = shared->saved;
  }
  const bool ordinary = sublayer->config->model.residual == RF_RESIDUAL_ORDINARY;
  if (!ordinary && !(chosen && chosen->stream[branch])) return RF_OK;
  const size_t stream = (size_t)(call->sequences * call->tokens * sublayer->config->model.d_model);
  if (shared->backward || !shared->activation)
    RF_TRY(rf_arena_take(call->scratch, stream, sizeof(real), &shared->activation));
  stash->activations[layer][branch] = shared->activation;
  return RF_OK;
}

rf_status rf_stash_take(const rf_stack *stack, const rf_call *call, bool backward, rf_stash *stash) {
  const int64_t n = stack->blocks->n_layers;
  shared_buffers shared = {.backward = backward};
  RF_TRY(rf_arena_take_zero(call->scratch, (size_t)n, sizeof *stash->saved, &stash->saved));
  RF_TRY(rf_arena_take_zero(call->scratch, (size_t)n, sizeof *stash->level, &stash->level));
  RF_TRY(rf_arena_take_zero(call->scratch, (size_t)n, sizeof *stash->activations, &stash->activations));
  for (int64_t layer = 0; layer < n; layer++) {
    RF_TRY(take_sublayer(stack, call, layer, RF_BRANCH_ATTENTION, &shared, stash));
    RF_TRY(take_sublayer(stack, call, layer, RF_BRANCH_FEED_FORWARD, &shared, stash));
  }
  return RF_OK;
}
