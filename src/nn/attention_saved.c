#include "nn/attention_saved.h"
#include "base/integers.h"
#include "comm/mesh.h"

enum { BUCKETS, M, Z, O, Q, K, V, PARTS };

static size_t whole_lines(size_t bytes) { return (bytes + 63) / 64 * 64; }

/* What can be saved: rows of parts are not, as memory does not allow to have them all. */
static int level_of(const rf_sublayer *self, const rf_call *call) {
  if (call->level < RF_LEVEL_ROWS || rf_wave_size_of(self, call).parts == 1) return call->level;
  return RF_LEVEL_OUTPUT;
}

/* Rows where queries are saved. Pairs that are spread over the ranks have no place of their own: their waves do. */
typedef struct saved_rows {
  int64_t of_wave, of_pair; /* that each has place for; one of them is 0 */
  int64_t all;
} saved_rows;

static saved_rows saved_rows_of(const rf_sublayer *self, const rf_call *call) {
  const int64_t n_heads = self->config->model.n_heads, pairs = call->sequences * n_heads;
  const int64_t alone = rf_mesh_sequence_size(call->mesh) == 1 ? call->tokens : rf_wave_most_rows(self, call, 1, 1);
  if (rf_mesh_sequence_size(call->mesh) == 1 || !self->ops->attention->layout(self, call).spread)
    return (saved_rows){.of_pair = alone, .all = pairs * alone};
  const rf_wave_size size = rf_wave_size_of(self, call);
  const int64_t across = rf_ceil_div(n_heads, size.heads), along = rf_ceil_div(call->sequences, size.sequences);
  const int64_t last = (n_heads - (across - 1) * size.heads) * (call->sequences - (along - 1) * size.sequences);
  const int64_t most = rf_max(rf_wave_most_rows(self, call, size.sequences * size.heads, 1),
                              rf_wave_most_rows(self, call, last, 1)); /* fewer pairs may be cut less evenly */
  return (saved_rows){.of_wave = most, .all = across * along * most};
}

/* Where each part starts, and at the end where the last one ends. */
static void find_parts(const rf_sublayer *self, const rf_call *call, size_t at[PARTS + 1]) {
  const rf_model_config *m = &self->config->model;
  const int level = level_of(self, call);
  const bool output = level >= RF_LEVEL_OUTPUT, queries = level >= RF_LEVEL_ROWS;
  const size_t pairs = (size_t)(call->sequences * m->n_heads), entries = pairs * (size_t)call->tokens;
  const size_t rows = queries ? (size_t)saved_rows_of(self, call).all * (size_t)m->d_head : 0;
  const bool shared = rf_sublayer_shared_qk(self);
  const size_t bytes[PARTS] = {
      [BUCKETS] = self->ops->attention->bucket_bytes(self, call),
      [M] = output ? entries * sizeof(real) : 0,
      [Z] = output ? entries * sizeof(real) : 0,
      [O] = output ? entries * (size_t)m->d_head * sizeof(real) : 0,
      [Q] = queries ? rows * sizeof(real) : 0,
      [K] = queries && !shared ? rows * sizeof(real) : 0,
      [V] = queries ? rows * sizeof(real) : 0,
  };
  at[0] = 0;
  for (int i = 0; i < PARTS; i++) at[i + 1] = at[i] + whole_lines(bytes[i]);
}

size_t rf_attention_saved_bytes(const rf_sublayer *self, const rf_call *call) {
  size_t at[PARTS + 1];
  if (call->level < RF_LEVEL_OUTPUT) return self->ops->attention->bucket_bytes(self, call);
  find_parts(self, call, at);
  return at[PARTS];
}

rf_status rf_wave_find_saved(rf_wave *w, void *saved, bool reverse) {
  if (w->call->level < RF_LEVEL_OUTPUT) return RF_OK;
  size_t at[PARTS + 1];
  const int64_t pair = w->first_sequence * w->self->config->model.n_heads + w->first_head;
  const int64_t dh = w->self->config->model.d_head, entries = pair * w->call->tokens;
  const saved_rows of = saved_rows_of(w->self, w->call);
  const int64_t rows = (of.of_pair > 0 ? pair * of.of_pair : w->index * of.of_wave) * dh;
  const int64_t first[PARTS] = {[M] = entries, [Z] = entries, [O] = entries * dh, [Q] = rows, [K] = rows, [V] = rows};
  real *part[PARTS];
  find_parts(w->self, w->call, at);
  for (int i = 0; i < PARTS; i++) {
    if (w->expected) /* nothing was saved: each is somewhere, so that no place is taken for it */
      RF_TRY(rf_arena_take(w->call->scratch, 0, 1, &part[i]));
    else
      part[i] = (real *)(void *)((char *)saved + at[i]) + first[i];
  }
  const int level = level_of(w->self, w->call);
  if (reverse) w->level = level;
  w->home.m = part[M];
  w->home.z = part[Z];
  w->home.o = part[O];
  if (level < RF_LEVEL_ROWS) return RF_OK;
  rf_wave_arrays *side = rf_wave_alone(w) ? &w->home : &w->owner;
  side->q = part[Q];
  side->k = w->shared_qk ? side->q : part[K];
  side->v = part[V];
  return RF_OK;
}
