#include "model/footprint.h"
#include "base/integers.h"
#include "model/budget.h"
#include "model/loans.h"
#include "model/stash.h"
#include "nn/head.h"

typedef struct planned {
  rf_config config;
  rf_blocks blocks;
  rf_arena *scratch, *plans, *messages[2];
  rf_call call;
  const rf_layer_stash *stash; /* [n_layers], or NULL */
} planned;

/* The call that a layer's sublayer sees. */
static rf_call call_of_sublayer(const planned *m, int64_t layer, rf_branch branch) {
  rf_call call = m->call;
  if (m->stash) call.level = m->stash[layer].level[branch];
  return call;
}

static const rf_sublayer *sublayer_of(const planned *m, int64_t layer, rf_branch branch) {
  return rf_layer_sublayer(&m->blocks.layers[layer], branch);
}

rf_call rf_model_planned_call(const rf_config *config, rf_mesh *mesh, int64_t sequences) {
  const int64_t length = rf_padded_length(config, config->data.length);
  const rf_span tokens = rf_span_of(length, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  return (rf_call){.sequences = sequences,
                   .tokens = tokens.count,
                   .length = length,
                   .first_token = tokens.first,
                   .training = true,
                   .mesh = mesh};
}

static rf_status plan_call(planned *m, rf_mesh *mesh, int64_t sequences) {
  RF_TRY(rf_blocks_create(&m->config, &m->blocks));
  RF_TRY(rf_arena_create_counting("scratch", &m->scratch));
  RF_TRY(rf_arena_create_counting("plans", &m->plans));
  for (int i = 0; i < 2; i++) RF_TRY(rf_arena_create_counting("messages", &m->messages[i]));
  m->call = rf_model_planned_call(&m->config, mesh, sequences);
  m->call.scratch = m->scratch;
  m->call.plans = m->plans;
  for (int i = 0; i < 2; i++) m->call.messages[i] = m->messages[i];
  return RF_OK;
}

static rf_status count_bytes(planned *m, size_t n, size_t size, size_t *sum) {
  void *nothing;
  const rf_mark before = rf_arena_mark(m->scratch);
  RF_TRY(rf_arena_take(m->scratch, n, size, &nothing));
  *sum += rf_arena_mark(m->scratch) - before;
  return RF_OK;
}

/* What a sublayer holds from its forward pass to its backward pass. */
static rf_status count_sublayer(planned *m, int64_t layer, rf_branch branch, rf_model_sizes *sizes) {
  const rf_sublayer *sublayer = sublayer_of(m, layer, branch);
  const rf_call call = call_of_sublayer(m, layer, branch);
  const size_t stream = (size_t)(m->call.sequences * m->call.tokens * m->config.model.d_model);
  const size_t always = sublayer->ops->saved_bytes(sublayer, &m->call);
  RF_TRY(
      count_bytes(m, sublayer->ops->saved_bytes(sublayer, &call), 1, call.level > 0 ? &sizes->stash : &sizes->buckets));
  if (call.level > 0) sizes->stash -= always, sizes->buckets += always;
  if (m->config.model.residual == RF_RESIDUAL_ORDINARY)
    RF_TRY(count_bytes(m, stream, sizeof(real), &sizes->activations));
  if (m->stash && m->stash[layer].stream[branch]) RF_TRY(count_bytes(m, stream, sizeof(real), &sizes->stash));
  return RF_OK;
}

/* What lives through the step: the streams and their gradients, and the stash (model/stash.h). */
static rf_status count_held(planned *m, rf_model_sizes *sizes) {
  const bool ordinary = m->config.model.residual == RF_RESIDUAL_ORDINARY;
  const size_t n = (size_t)m->blocks.n_layers;
  const size_t stream = (size_t)(m->call.sequences * m->call.tokens * m->config.model.d_model);
  const rf_stash *tables = NULL;
  for (int i = 0; i < (ordinary ? 3 : 4); i++) RF_TRY(count_bytes(m, stream, sizeof(real), &sizes->streams));
  RF_TRY(count_bytes(m, n, sizeof *tables->saved, &sizes->buckets));
  RF_TRY(count_bytes(m, n, sizeof *tables->activations, &sizes->buckets));
  RF_TRY(count_bytes(m, n, sizeof *tables->level, &sizes->buckets));
  for (int64_t layer = 0; layer < m->blocks.n_layers; layer++) {
    RF_TRY(count_sublayer(m, layer, RF_BRANCH_ATTENTION, sizes));
    RF_TRY(count_sublayer(m, layer, RF_BRANCH_FEED_FORWARD, sizes));
  }
  return RF_OK;
}

/* Sublayers of a kind that stash the same are alike. */
static bool is_known(const planned *m, int64_t layer, rf_branch branch) {
  const int level = call_of_sublayer(m, layer, branch).level;
  for (int64_t k = 0; k < layer; k++)
    if (sublayer_of(m, k, branch)->ops == sublayer_of(m, layer, branch)->ops &&
        call_of_sublayer(m, k, branch).level == level)
      return true;
  return false;
}

/* The reverse pass of a sublayer, and how far the high water rises above `base` by what it takes. */
static rf_status count_reverse(planned *m, int64_t layer, rf_branch branch, size_t base, size_t *most) {
  const rf_sublayer *sublayer = sublayer_of(m, layer, branch);
  const rf_call call = call_of_sublayer(m, layer, branch);
  const rf_sublayer_vjp nothing = {0};
  const size_t before = rf_arena_memory_used(m->scratch);
  if (is_known(m, layer, branch)) return RF_OK;
  RF_TRY(sublayer->ops->apply_vjp(sublayer, &call, &nothing));
  const size_t after = rf_arena_memory_used(m->scratch);
  if (after > before) *most = after - base;
  return RF_OK;
}

static rf_status count_transients(planned *m, rf_model_sizes *sizes) {
  const size_t base = rf_arena_mark(m->scratch);
  const rf_head_input input = {0};
  const rf_head_gradient gradient = {0};
  rf_loss loss = {0};
  RF_TRY(rf_head_loss(&m->config, &m->call, &input, NULL, 0, &loss, &gradient));
  sizes->head = rf_arena_memory_used(m->scratch) - base;
  for (int64_t layer = 0; layer < m->blocks.n_layers; layer++) {
    RF_TRY(count_reverse(m, layer, RF_BRANCH_ATTENTION, base, &sizes->attention));
    RF_TRY(count_reverse(m, layer, RF_BRANCH_FEED_FORWARD, base, &sizes->feed_forward));
  }
  return RF_OK;
}

static rf_status count_all(planned *m, rf_mesh *mesh, int64_t sequences, rf_model_sizes *sizes) {
  RF_TRY(plan_call(m, mesh, sequences));
  RF_TRY(count_held(m, sizes));
  RF_TRY(count_transients(m, sizes));
  sizes->plans = rf_arena_memory_used(m->plans);
  sizes->messages = rf_arena_memory_used(m->messages[0]) + rf_arena_memory_used(m->messages[1]);
  sizes->scratch = rf_arena_memory_used(m->scratch) + sizes->plans + sizes->messages;
  return RF_OK;
}

static void planned_destroy(planned *m) {
  for (int i = 0; i < 2; i++) rf_arena_destroy(m->messages[i]);
  rf_arena_destroy(m->plans);
  rf_arena_destroy(m->scratch);
  rf_blocks_destroy(&m->blocks);
}

rf_status rf_model_footprint(const rf_config *config, rf_mesh *mesh, int64_t sequences, const rf_layer_stash *stash,
                             rf_model_sizes *sizes) {
  planned m = {.config = *config, .stash = stash};
  *sizes = (rf_model_sizes){0};
  const rf_status status = count_all(&m, mesh, sequences, sizes);
  planned_destroy(&m);
  return status;
}

rf_status rf_model_plan_stash(const rf_config *config, rf_mesh *mesh, int64_t sequences, int64_t bytes,
                              rf_layer_stash *stash, rf_stash_summary *summary) {
  planned m = {.config = *config};
  rf_status status = plan_call(&m, mesh, sequences);
  m.call.tokens = rf_ceil_div(m.call.length, rf_mesh_sequence_size(mesh)); /* of the rank with most */
  if (status == RF_OK) status = rf_budget_plan(&m.blocks, &m.call, bytes, stash, summary);
  planned_destroy(&m);
  return status;
}

rf_store_sizes rf_store_footprint(const rf_layout *layout, const rf_mesh *mesh) {
  const int ranks = rf_mesh_size(mesh), rank = rf_mesh_rank(mesh);
  rf_store_sizes sizes = {0};
  int64_t largest = 0;
  for (int b = 0; b < layout->n_blocks; b++) {
    const int64_t shard = rf_aligned(rf_span_of(layout->blocks[b].size, ranks, rank).count);
    sizes.parameters += (size_t)shard * sizeof(real);
    largest = rf_max(largest, rf_aligned(layout->blocks[b].size));
  }
  sizes.gradients = sizes.parameters;
  if (ranks > 1) sizes.slots = 2 * RF_LOANS * (size_t)largest * sizeof(real); /* parameters and gradients */
  return sizes;
}
