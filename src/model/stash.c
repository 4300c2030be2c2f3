#include "model/stash.h"
#include "base/text.h"
#include "nn/attention_saved.h"

static const char *const parts[RF_STASH_PARTS] = {[RF_STASH_OUTPUT] = "attention outputs",
                                                  [RF_STASH_SECOND_STREAM] = "second streams",
                                                  [RF_STASH_QUERIES] = "queries and values",
                                                  [RF_STASH_FIRST_STREAM] = "first streams",
                                                  [RF_STASH_HIDDEN] = "hidden activations"};

const char *rf_stash_describe(const rf_stash_summary *summary, char *buffer, size_t size) {
  buffer[0] = '\0';
  for (int part = 0; part < RF_STASH_PARTS; part++)
    if (summary->layers[part] > 0)
      rf_text_append(buffer, size, "%s%s of %lld", buffer[0] ? ", " : "", parts[part],
                     (long long)summary->layers[part]);
  if (!buffer[0]) rf_text_append(buffer, size, "nothing");
  return buffer;
}

rf_passes rf_passes_of_layer(const rf_config *config, rf_layer_stash stash) {
  const bool ordinary = config->model.residual == RF_RESIDUAL_ORDINARY;
  return (rf_passes){.project = stash.level[RF_BRANCH_ATTENTION] < RF_LEVEL_ROWS ? 4 : 3,
                     .attend = stash.level[RF_BRANCH_ATTENTION] < RF_LEVEL_OUTPUT ? 4 : 3,
                     .output = stash.stream[RF_BRANCH_ATTENTION] || ordinary ? 3 : 4,
                     /* a product each */
                     .feed_forward = 4 - (stash.level[RF_BRANCH_FEED_FORWARD] > 0 ? 0.5 : 0) -
                                     (stash.stream[RF_BRANCH_FEED_FORWARD] || ordinary ? 0.5 : 0)};
}

rf_call rf_stash_call(const rf_call *call, const rf_stash *stash, int64_t layer, rf_branch branch) {
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

/* chosen: of the layer, or NULL. */
static rf_status take_sublayer(const rf_blocks *blocks, const rf_layer_stash *chosen, const rf_call *call,
                               int64_t layer, rf_branch branch, shared_buffers *shared, rf_stash *stash) {
  const rf_sublayer *sublayer = rf_layer_sublayer(&blocks->layers[layer], branch);
  if (chosen) stash->level[layer][branch] = chosen->level[branch];
  const rf_call own = rf_stash_call(call, stash, layer, branch);
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

rf_status rf_stash_take(const rf_blocks *blocks, const rf_layer_stash *chosen, const rf_call *call, bool backward,
                        rf_stash *stash) {
  const int64_t n = blocks->n_layers;
  shared_buffers shared = {.backward = backward};
  RF_TRY(rf_arena_take_zero(call->scratch, (size_t)n, sizeof *stash->saved, &stash->saved));
  RF_TRY(rf_arena_take_zero(call->scratch, (size_t)n, sizeof *stash->level, &stash->level));
  RF_TRY(rf_arena_take_zero(call->scratch, (size_t)n, sizeof *stash->activations, &stash->activations));
  for (int64_t layer = 0; layer < n; layer++) {
    const rf_layer_stash *own = chosen && backward ? &chosen[layer] : NULL;
    RF_TRY(take_sublayer(blocks, own, call, layer, RF_BRANCH_ATTENTION, &shared, stash));
    RF_TRY(take_sublayer(blocks, own, call, layer, RF_BRANCH_FEED_FORWARD, &shared, stash));
  }
  return RF_OK;
}
