/* What attention would take from its arenas, for planning: its stages again (nn/attention.c), with their takes and
 * without their work. Rows that come from other ranks are as many as are expected of random buckets. */
#include "comm/expect.h"
#include "base/integers.h"
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"
#include "nn/attention_traffic.h"
#include "nn/attention_project.h"
#include "nn/ring.h"
#include <assert.h>
#include <math.h>

/* A wave and what is expected to come to it. */
typedef struct counted {
  rf_wave wave;
  rf_exchange_shape shape;
  int bucket_bytes, ranks, rank;
  rf_exchange_expectation expected; /* of a pair */
} counted;

static rf_status count(rf_arena *arena, int64_t n, size_t size) {
  void *nothing;
  return rf_arena_take(arena, (size_t)n, size, &nothing);
}

static bool alone(const counted *c) { return c->ranks == 1; }

static int64_t rows_of(const counted *c) { return llround(rf_expected_rows(&c->expected) * (double)c->shape.pairs); }

static rf_status project(counted *c) {
  static char nothing;
  rf_wave *w = &c->wave;
  rf_arena *scratch = w->call->scratch;
  const int64_t pairs = rf_wave_pairs(w), tokens = w->call->tokens;
  rf_wave_find_saved(w, &nothing, true);
  RF_TRY(rf_wave_take_home(w, true));
  RF_TRY(count(scratch, pairs, sizeof(rf_pair) + 2 * sizeof(void *)));
  if (c->bucket_bytes == 0) RF_TRY(count(scratch, c->shape.rounds * tokens, sizeof(uint16_t)));
  RF_TRY(rf_exchange_measure(&c->shape, c->ranks, c->rank, c->bucket_bytes > 0 ? c->bucket_bytes : 2, &c->expected,
                             w->call->plans, scratch));
  if (alone(c))
    w->owner = w->home;
  else
    RF_TRY(rf_wave_take_rows(w, rows_of(c), true));
  return w->shared_qk ? count(scratch, rows_of(c), sizeof(real)) : RF_OK;
}

static rf_status travel(const counted *c, rf_exchange_kind way, rf_exchange_rows_kind kind, int n,
                        const int64_t *widths) {
  RF_TRY(count(c->wave.messages, 2 * n * rf_wave_pairs(&c->wave), sizeof(real *)));
  return rf_exchange_measure_move(&c->shape, c->ranks, way, kind, n, widths, &c->expected, c->wave.messages);
}

/* Messages of a stage are given back when the next begins. */
static rf_status messages(const counted *c) {
  const int64_t dh = c->wave.self->config->model.d_head, both[] = {dh, dh}, upstream[] = {dh, 1, 1, 1};
  rf_arena *arena = c->wave.messages;
  if (alone(c)) return RF_OK;
  for (int stage = 0; stage < 3; stage++) {
    const bool own = stage == 1;
    const rf_exchange_kind way = stage == 2 ? RF_GATHER_SUM : RF_SCATTER;
    const rf_mark mark = rf_arena_mark(arena);
    if (own) {
      RF_TRY(travel(c, RF_SCATTER, RF_ROWS_OWN, 4, upstream));
      if (c->wave.kept == RF_KEEPS_OUTPUT) RF_TRY(travel(c, RF_SCATTER, RF_ROWS_ALL, 2, both)); /* still under way */
    } else {
      if (!c->wave.shared_qk) RF_TRY(travel(c, way, RF_ROWS_OWN, 1, both));
      RF_TRY(travel(c, way, RF_ROWS_ALL, 2, both));
    }
    rf_arena_release(arena, mark);
  }
  return RF_OK;
}

static rf_status compute(const counted *c) {
  const rf_wave *w = &c->wave;
  const rf_span owned = rf_span_of(c->shape.rounds * (c->shape.tokens / c->shape.chunk), c->ranks, c->rank);
  const rf_windows windows = {.tokens = c->shape.tokens,
                              .d_head = w->self->config->model.d_head,
                              .rounds = c->shape.rounds,
                              .chunk = c->shape.chunk,
                              .chunks_before = c->shape.chunks_before,
                              .chunks_after = c->shape.chunks_after,
                              .first_chunk = owned.first,
                              .n_chunks = owned.count,
                              .n_pairs = rf_wave_pairs(w),
                              .rule = {.duplicates = w->self->config->lsh.duplicates},
                              .mesh = w->call->mesh};
  const bool rings = w->self->ops == &rf_full_attention_ops;
  RF_TRY(rings ? rf_ring_measure(&windows, w->call->scratch) : rf_windows_measure(&windows, w->call->scratch));
  return rf_wave_project_measure(w);
}

rf_status rf_attention_measure(const rf_sublayer *self, const rf_call *call) {
  const rf_wave_size size = rf_wave_size_of(self, call);
  const int64_t n = rf_ceil_div(call->sequences, size.sequences) * rf_ceil_div(self->config->model.n_heads, size.heads);
  const int some = (int)rf_min(size.at_once, n);
  const rf_mark mark = rf_arena_mark(call->scratch), plan = rf_arena_mark(call->plans);
  counted waves[2];
  assert(some <= 2);
  for (int i = 0; i < some; i++) {
    counted *c = &waves[i];
    *c = (counted){.wave = rf_wave_at(self, call, i, size),
                   .ranks = rf_mesh_sequence_size(call->mesh),
                   .rank = rf_mesh_sequence_rank(call->mesh)};
    c->wave.messages = call->messages[i] ? call->messages[i] : call->scratch;
    const rf_slot_layout layout = self->ops->attention->layout(self, call);
    c->bucket_bytes = layout.bucket_bytes;
    c->shape = rf_attention_exchange_shape(self, call, rf_wave_pairs(&c->wave));
    c->expected = rf_attention_expect(self, call, &c->shape);
    RF_TRY(project(c));
  }
  for (int i = 0; i < some; i++) RF_TRY(messages(&waves[i]));
  for (int i = 0; i < some; i++) RF_TRY(compute(&waves[i]));
  rf_arena_release(call->plans, plan);
  rf_arena_release(call->scratch, mark);
  return RF_OK;
}
