#include "model/measure.h"
#include "kernel/parallel.h"
#include "nn/head.h"

typedef struct measuring {
  rf_config config;
  rf_blocks blocks;
  rf_arena *scratch, *plans, *messages[2];
  rf_call call;
} measuring;

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
    const rf_layer *layer = &m->blocks.layers[i / 2];
    const rf_sublayer *sublayer = i % 2 ? &layer->feed_forward : &layer->attention;
    RF_TRY(count(m, sublayer->ops->saved_bytes(sublayer, &m->call), 1, &sizes->saved));
    if (ordinary) RF_TRY(count(m, stream, sizeof(real), &sizes->activations));
  }
  return RF_OK;
}

/* How far the high water rises above the mark, by what sublayers take. */
static rf_status count_transients(measuring *m, rf_model_sizes *sizes) {
  rf_arena *arena = m->scratch;
  const size_t base = rf_arena_mark(arena);
  RF_TRY(rf_head_measure(&m->config, &m->call));
  sizes->head = rf_arena_memory_used(arena) - base;
  for (int64_t i = 0; i < m->blocks.n_layers; i++) {
    const rf_sublayer *attention = &m->blocks.layers[i].attention, *forward = &m->blocks.layers[i].feed_forward;
    size_t before = rf_arena_memory_used(arena);
    bool known = false;
    for (int64_t k = 0; k < i; k++) known |= m->blocks.layers[k].attention.ops == attention->ops;
    if (known) continue; /* layers of a kind are alike */
    RF_TRY(attention->ops->measure(attention, &m->call));
    if (rf_arena_memory_used(arena) > before) sizes->attention = rf_arena_memory_used(arena) - base;
    before = rf_arena_memory_used(arena);
    if (i > 0) continue;
    RF_TRY(forward->ops->measure(forward, &m->call));
    if (rf_arena_memory_used(arena) > before) sizes->feed_forward = rf_arena_memory_used(arena) - base;
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

rf_status rf_model_measure(const rf_config *config, rf_mesh *mesh, int64_t sequences, rf_model_sizes *sizes) {
  measuring m = {.config = *config};
  *sizes = (rf_model_sizes){0};
  const rf_status status = measure(&m, mesh, sequences, sizes);
  for (int i = 0; i < 2; i++) rf_arena_destroy(m.messages[i]);
  rf_arena_destroy(m.plans);
  rf_arena_destroy(m.scratch);
  rf_blocks_destroy(&m.blocks);
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
