#include "model/measure.h"
#include "base/integers.h"
#include "nn/head.h"

typedef struct measuring {
  rf_config config;
  rf_blocks blocks;
  rf_arena *scratch, *plans, *messages[2];
  rf_call call;
  const rf_layer_keep *keep; /* [n_layers], or NULL */
} measuring;

/* The call that sublayer i of 2 n_layers sees. */
static rf_call call_of(const measuring *m, size_t i) {
  rf_call call = m->call;
  if (m->keep) call.level = m->keep[i / 2].level[i % 2];
  return call;
}

static const rf_sublayer *sublayer_of(const measuring *m, size_t i) {
  const rf_layer *layer = &m->blocks.layers[i / 2];
  return i % 2 ? &layer->feed_forward : &layer->attention;
}

static rf_status set_up(measuring *m, rf_mesh *mesh, int64_t sequences) {
  const int64_t length = rf_padded_length(&m->config, m->config.data.length);
  const rf_span tokens = rf_span_of(length, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  RF_TRY(rf_blocks_create(&m->config, &m->blocks));
  RF_TRY(rf_arena_create_counting("scratch", &m->scratch));
  RF_TRY(rf_arena_create_counting("plans", &m->plans));
  for (int i = 0; i < 2; i++) RF_TRY(rf_arena_create_counting("messages", &m->messages[i]));
  m->call = (rf_call){.sequences = sequences,
                      .tokens = tokens.count,
                      .length = length,
                      .first_token = tokens.first,
                      .training = true,
                      .scratch = m->scratch,
                      .plans = m->plans,
                      .messages = {m->messages[0], m->messages[1]},
                      .mesh = mesh};
  return RF_OK;
}

static rf_status count(measuring *m, size_t n, size_t size, size_t *sum) {
  void *nothing;
  const rf_mark before = rf_arena_mark(m->scratch);
  RF_TRY(rf_arena_take(m->scratch, n, size, &nothing));
  *sum += rf_arena_mark(m->scratch) - before;
  return RF_OK;
}

/* What lives through the step. */
static rf_status count_kept(measuring *m, rf_model_sizes *sizes) {
  const bool ordinary = m->config.model.residual == RF_RESIDUAL_ORDINARY;
  const size_t n = (size_t)m->blocks.n_layers;
  const size_t stream = (size_t)(m->call.sequences * m->call.tokens * m->config.model.d_model);
  for (int i = 0; i < (ordinary ? 3 : 4); i++) RF_TRY(count(m, stream, sizeof(real), &sizes->streams));
  for (int i = 0; i < 2; i++) RF_TRY(count(m, 2 * n, sizeof(void *), &sizes->saved));
  RF_TRY(count(m, 2 * n, sizeof(int), &sizes->saved));
  for (size_t i = 0; i < 2 * n; i++) {
    const rf_sublayer *sublayer = sublayer_of(m, i);
    const rf_call call = call_of(m, i);
    const size_t always = sublayer->ops->saved_bytes(sublayer, &m->call);
    const size_t all = sublayer->ops->saved_bytes(sublayer, &call);
    RF_TRY(count(m, all, 1, call.level > 0 ? &sizes->kept : &sizes->saved));
    if (call.level > 0) sizes->kept -= always, sizes->saved += always;
    if (ordinary) RF_TRY(count(m, stream, sizeof(real), &sizes->activations));
    if (m->keep && m->keep[i / 2].stream[i % 2]) RF_TRY(count(m, stream, sizeof(real), &sizes->kept));
  }
  return RF_OK;
}

/* Sublayers of a kind that keep the same are alike. */
static bool is_known(const measuring *m, size_t i) {
  const int level = call_of(m, i).level;
  for (size_t k = 0; k < i; k++)
    if (sublayer_of(m, k)->ops == sublayer_of(m, i)->ops && call_of(m, k).level == level) return true;
  return false;
}

/* How far the high water rises above the mark, by what sublayers take. */
static rf_status count_transients(measuring *m, rf_model_sizes *sizes) {
  rf_arena *arena = m->scratch;
  const size_t base = rf_arena_mark(arena);
  RF_TRY(rf_head_measure(&m->config, &m->call));
  sizes->head = rf_arena_memory_used(arena) - base;
  for (size_t i = 0; i < 2 * (size_t)m->blocks.n_layers; i++) {
    const rf_sublayer *sublayer = sublayer_of(m, i);
    const rf_call call = call_of(m, i);
    const size_t before = rf_arena_memory_used(arena);
    if (is_known(m, i)) continue;
    RF_TRY(sublayer->ops->measure(sublayer, &call));
    if (rf_arena_memory_used(arena) > before)
      *(i % 2 ? &sizes->feed_forward : &sizes->attention) = rf_arena_memory_used(arena) - base;
  }
  return RF_OK;
}

static rf_status measure(measuring *m, rf_mesh *mesh, int64_t sequences, rf_model_sizes *sizes) {
  RF_TRY(set_up(m, mesh, sequences));
  RF_TRY(count_kept(m, sizes));
  RF_TRY(count_transients(m, sizes));
  sizes->plans = rf_arena_memory_used(m->plans);
  sizes->messages = rf_arena_memory_used(m->messages[0]) + rf_arena_memory_used(m->messages[1]);
  sizes->scratch = rf_arena_memory_used(m->scratch) + sizes->plans + sizes->messages;
  return RF_OK;
}

static void tear_down(measuring *m) {
  for (int i = 0; i < 2; i++) rf_arena_destroy(m->messages[i]);
  rf_arena_destroy(m->plans);
  rf_arena_destroy(m->scratch);
  rf_blocks_destroy(&m->blocks);
}

rf_status rf_model_measure(const rf_config *config, rf_mesh *mesh, int64_t sequences, const rf_layer_keep *keep,
                           rf_model_sizes *sizes) {
  measuring m = {.config = *config, .keep = keep};
  *sizes = (rf_model_sizes){0};
  const rf_status status = measure(&m, mesh, sequences, sizes);
  tear_down(&m);
  return status;
}

rf_status rf_model_measure_keep(const rf_config *config, rf_mesh *mesh, int64_t sequences, int64_t bytes,
                                rf_layer_keep *keep, rf_keeping *keeping) {
  measuring m = {.config = *config};
  rf_status status = set_up(&m, mesh, sequences);
  m.call.tokens = rf_ceil_div(m.call.length, rf_mesh_sequence_size(mesh)); /* of the rank with most */
  if (status == RF_OK) status = rf_budget_plan(&m.blocks, &m.call, bytes, keep, keeping);
  tear_down(&m);
  return status;
}

rf_store_sizes rf_store_measure(const rf_layout *layout, const rf_mesh *mesh) {
  const int ranks = rf_mesh_size(mesh), rank = rf_mesh_rank(mesh);
  rf_store_sizes sizes = {0};
  int64_t largest = 0;
  for (int b = 0; b < layout->n_blocks; b++) {
    const int64_t shard = rf_aligned(rf_span_of(layout->blocks[b].size, ranks, rank).count);
    sizes.parameters += (size_t)shard * sizeof(real);
    largest = rf_max(largest, rf_aligned(layout->blocks[b].size));
  }
  sizes.gradients = sizes.parameters;
  if (ranks > 1) sizes.slots = 4 * (size_t)largest * sizeof(real);
  return sizes;
}
