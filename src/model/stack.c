#include "model/stack.h"

rf_call rf_stack_call(const rf_call *call, const rf_kept *kept, int64_t i) {
  rf_call own = *call;
  own.level = kept->level[i];
  return own;
}

rf_status rf_stack_keep(const rf_stack *stack, const rf_call *call, bool backward, rf_kept *kept) {
  const size_t n = (size_t)stack->blocks->n_layers;
  const rf_config *config = stack->blocks->layers[0].attention.config;
  const size_t stream = (size_t)(call->sequences * call->tokens * config->model.d_model);
  const bool ordinary = config->model.residual == RF_RESIDUAL_ORDINARY;
  RF_TRY(rf_arena_take_zero(call->scratch, 2 * n, sizeof *kept->saved, &kept->saved));
  RF_TRY(rf_arena_take_zero(call->scratch, 2 * n, sizeof *kept->level, &kept->level));
  RF_TRY(rf_arena_take_zero(call->scratch, 2 * n, sizeof *kept->activations, &kept->activations));
  void *shared_saved = NULL; /* without a backward pass, layers take turns with one buffer */
  real *shared_activation = NULL;
  for (size_t i = 0; i < 2 * n; i++) {
    const rf_layer *layer = &stack->blocks->layers[i / 2];
    const rf_sublayer *sublayer = i % 2 ? &layer->feed_forward : &layer->attention;
    const rf_layer_keep *keep = stack->keep && backward ? &stack->keep[i / 2] : NULL;
    if (keep) kept->level[i] = keep->level[i % 2];
    const rf_call own = rf_stack_call(call, kept, (int64_t)i);
    const size_t bytes = sublayer->ops->saved_bytes(sublayer, &own);
    if (bytes > 0 && (backward || !shared_saved)) RF_TRY(rf_arena_take(call->scratch, bytes, 1, &shared_saved));
    kept->saved[i] = bytes > 0 ? shared_saved : NULL;
    if (!ordinary && !(keep && keep->stream[i % 2])) continue;
    if (backward || !shared_activation) RF_TRY(rf_arena_take(call->scratch, stream, sizeof(real), &shared_activation));
    kept->activations[i] = shared_activation;
  }
  return RF_OK;
}
