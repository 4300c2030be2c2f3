#include "nn/attention_saved.h"
#include "nn/attention_rows.h"

enum { BUCKETS, M, Z, O, Q, K, V, PARTS };

static size_t aligned(size_t bytes) { return (bytes + 63) / 64 * 64; }

static bool alone(const rf_call *call) { return rf_mesh_sequence_size(call->mesh) == 1; }

/* Rows of a pair where its queries are kept. */
static int64_t rows_of_pair(const rf_sublayer *self, const rf_call *call) {
  if (alone(call)) return call->tokens;
  const rf_slot_layout layout = self->ops->attention->layout(self, call);
  return rf_most_rows(&layout, call->length, rf_mesh_sequence_size(call->mesh));
}

/* Where each part starts, and at the end where the last one ends. */
static void find_parts(const rf_sublayer *self, const rf_call *call, size_t at[PARTS + 1]) {
  const rf_model_config *m = &self->config->model;
  const size_t pairs = (size_t)(call->sequences * m->n_heads), entries = pairs * (size_t)call->tokens;
  const size_t rows = pairs * (size_t)rows_of_pair(self, call) * (size_t)m->d_head;
  const bool output = call->level >= RF_KEEPS_OUTPUT, queries = call->level >= RF_KEEPS_ROWS;
  const bool shared = self->ops->attention->shared_qk(self);
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
  for (int i = 0; i < PARTS; i++) at[i + 1] = at[i] + aligned(bytes[i]);
}

size_t rf_attention_saved_bytes(const rf_sublayer *self, const rf_call *call) {
  size_t at[PARTS + 1];
  if (call->level < RF_KEEPS_OUTPUT) return self->ops->attention->bucket_bytes(self, call);
  find_parts(self, call, at);
  return at[PARTS];
}

void rf_wave_find_saved(rf_wave *w, void *saved, bool reverse) {
  if (w->call->level < RF_KEEPS_OUTPUT) return;
  size_t at[PARTS + 1];
  const int64_t pair = w->first_sequence * w->self->config->model.n_heads + w->first_head;
  const int64_t dh = w->self->config->model.d_head;
  find_parts(w->self, w->call, at);
  real *part[PARTS];
  for (int i = 0; i < PARTS; i++) part[i] = (real *)(void *)((char *)saved + at[i]);
  if (reverse) w->kept = w->call->level;
  w->home.m = part[M] + pair * w->call->tokens;
  w->home.z = part[Z] + pair * w->call->tokens;
  w->home.o = part[O] + pair * w->call->tokens * dh;
  if (w->call->level < RF_KEEPS_ROWS) return;
  rf_side *side = alone(w->call) ? &w->home : &w->owner;
  const int64_t first = pair * rows_of_pair(w->self, w->call) * dh;
  side->q = part[Q] + first;
  side->k = w->shared_qk ? side->q : part[K] + first;
  side->v = part[V] + first;
}
