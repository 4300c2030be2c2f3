#include "model/stack.h"

rf_status rf_stack_keep(const rf_stack *stack, const rf_call *call, bool backward, rf_kept *kept) {
  const size_t n = (size_t)stack->blocks->n_layers;
  const rf_config *config = stack->blocks->layers[0].attention.config;
  const size_t stream = (size_t)(call->sequences * call->tokens * config->model.d_model);
  RF_TRY(rf_arena_take_zero(call->scratch, 2 * n, sizeof *kept->saved, &kept->saved));
  RF_TRY(rf_arena_take_zero(call->scratch, 2 * n, sizeof *kept->activations, &kept->activations));
  void *shared_saved = NULL; /* without a backward pass, layers take turns with one buffer */
  real *shared_activation = NULL;
  for (size_t i = 0; i < 2 * n; i++) {
    const rf_layer *layer = &stack->blocks->layers[i / 2];
    const rf_sublayer *sublayer = i % 2 ? &layer->feed_forward : &layer->attention;
    const size_t bytes = sublayer->ops->saved_bytes(sublayer, call);
    if (bytes > 0 && (backward || !shared_saved)) RF_TRY(rf_arena_take(call->scratch, bytes, 1, &shared_saved));
    kept->saved[i] = bytes > 0 ? shared_saved : NULL;
    if (config->model.residual != RF_RESIDUAL_ORDINARY) continue;
    if (backward || !shared_activation) RF_TRY(rf_arena_take(call->scratch, stream, sizeof(real), &shared_activation));
    kept->activations[i] = shared_activation;
  }
  return RF_OK;
}
