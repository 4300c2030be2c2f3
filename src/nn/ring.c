#include "nn/ring.h"
#include "base/integers.h"
#include "comm/collective.h"
#include "comm/poll.h"
#include "comm/span.h"
#include "kernel/gather.h"
#include "kernel/parallel.h"
#include "nn/ring_blocks.h"
#include <string.h>

/* The ring as seen from this rank. */
typedef struct ring {
  const rf_windows *w;
  rf_mesh *mesh;
  int ranks, rank;
  int64_t most; /* rows of a pair at the rank with most */
  rf_ring_keys here, next;
} ring;

/* Every rank owns the same cut of slots in every pair. */
static int64_t rows_at(const ring *r, int rank) { return rf_span_of(r->w->tokens, r->ranks, rank).count; }

static rf_status take_keys(const ring *r, bool reverse, rf_arena *scratch, rf_ring_keys *keys) {
  const size_t rows = (size_t)(r->w->n_pairs * r->most), big = rows * (size_t)r->w->d_head;
  RF_TRY(rf_arena_take(scratch, rows, sizeof *keys->order, &keys->order));
  RF_TRY(rf_arena_take(scratch, rows, sizeof *keys->position, &keys->position));
  RF_TRY(rf_arena_take(scratch, big, sizeof(real), &keys->k));
  RF_TRY(rf_arena_take(scratch, big, sizeof(real), &keys->v));
  if (!reverse) return RF_OK;
  RF_TRY(rf_arena_take_zero(scratch, big, sizeof(real), &keys->dk));
  return rf_arena_take_zero(scratch, big, sizeof(real), &keys->dv);
}

/* This rank's own keys start the ring. */
static void load_own(ring *r) {
  const rf_windows *w = r->w;
  const int64_t n = rows_at(r, r->rank), dh = w->d_head;
  r->here.n = n;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < w->n_pairs; p++) {
    const rf_pair *pair = &w->pairs[p];
    for (int64_t i = 0; i < n; i++) {
      const int32_t position = pair->position ? pair->position[i] : (int32_t)i;
      const real scale = pair->key_scale ? pair->key_scale[i] : w->key_scale;
      const int64_t at = p * n + i;
      r->here.position[at] = position;
      r->here.order[at] = pair->mask && !pair->mask[i] ? RF_ORDER_PADDING : position;
      for (int64_t j = 0; j < dh; j++) {
        r->here.k[at * dh + j] = pair->k[i * w->ld + j] * scale;
        r->here.v[at * dh + j] = pair->v[i * w->ld + j];
      }
    }
  }
}

/* What a pass takes, without its work. */
static rf_status take_ring(const rf_windows *w, bool reverse, rf_arena *scratch, ring *r, rf_ring_buffers **buffers) {
  *r = (ring){.w = w, .mesh = w->mesh, .ranks = rf_mesh_sequence_size(w->mesh), .rank = rf_mesh_sequence_rank(w->mesh)};
  r->most = rf_ceil_div(w->tokens, r->ranks);
  RF_TRY(take_keys(r, reverse, scratch, &r->here));
  if (r->ranks > 1) RF_TRY(take_keys(r, reverse, scratch, &r->next));
  return rf_ring_buffers_take(w, reverse, scratch, buffers);
}

enum { MOST_FLIGHTS = 4 };

/* An array here, where the one of the rank before goes, and the bytes of a row. */
typedef struct passed {
  void *here, *next;
  size_t size;
} passed;

/* Starts to pass arrays on: those here go to the next rank, into `next` comes what the rank before has. */
static rf_status pass_on(const ring *r, int step, int n, const passed *arrays, rf_flight **flights) {
  const int to = (r->rank + 1) % r->ranks, from = (r->rank + r->ranks - 1) % r->ranks;
  const int came_from = (r->rank - step + 2 * r->ranks) % r->ranks;
  const int64_t out = r->w->n_pairs * rows_at(r, came_from);
  const int64_t in = r->w->n_pairs * rows_at(r, (came_from + r->ranks - 1) % r->ranks);
  for (int i = 0; i < n; i++) {
    const rf_shift shift = {.to = to,
                            .from = from,
                            .send = arrays[i].here,
                            .receive = arrays[i].next,
                            .send_bytes = out * (int64_t)arrays[i].size,
                            .receive_bytes = in * (int64_t)arrays[i].size};
    RF_TRY(rf_shift_start(r->mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_ROWS, &shift, &flights[i]));
  }
  return RF_OK;
}

static rf_status pass_keys(const ring *r, int step, rf_flight **flights) {
  const size_t row = (size_t)r->w->d_head * sizeof(real);
  const passed arrays[MOST_FLIGHTS] = {{r->here.k, r->next.k, row},
                                       {r->here.v, r->next.v, row},
                                       {r->here.order, r->next.order, sizeof(int32_t)},
                                       {r->here.position, r->next.position, sizeof(int32_t)}};
  return pass_on(r, step, MOST_FLIGHTS, arrays, flights);
}

static rf_status pass_gradients(const ring *r, int step) {
  const size_t row = (size_t)r->w->d_head * sizeof(real);
  rf_flight *flights[2];
  const passed arrays[] = {{r->here.dk, r->next.dk, row}, {r->here.dv, r->next.dv, row}};
  RF_TRY(pass_on(r, step, 2, arrays, flights));
  for (int i = 0; i < 2; i++) RF_TRY(rf_flight_wait(flights[i]));
  return RF_OK;
}

static rf_status receive_keys(ring *r, int step, rf_flight **flights) {
  for (int i = 0; i < MOST_FLIGHTS; i++) RF_TRY(rf_flight_wait(flights[i]));
  const rf_ring_keys away = r->here;
  r->here = r->next;
  r->next = away;
  r->here.n = rows_at(r, (r->rank - step - 1 + 2 * r->ranks) % r->ranks);
  return RF_OK;
}

/* All blocks of queries against the keys here, those that see most first. */
static void attend_ring(const ring *r, rf_ring_buffers *buffers) {
  const rf_windows *w = r->w;
  const int64_t blocks = rf_ring_blocks(rows_at(r, r->rank));
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < w->n_pairs * blocks; i++) {
    rf_mesh_poll_within(w->mesh);
    rf_ring_queries(w, &r->here, i % w->n_pairs, blocks - 1 - i / w->n_pairs, rf_ring_buffers_of(buffers, rf_thread()));
  }
}

rf_status rf_ring_attend(const rf_windows *w, rf_arena *scratch) {
  const rf_mark mark = rf_arena_mark(scratch);
  rf_ring_buffers *buffers;
  rf_flight *flights[MOST_FLIGHTS];
  ring r;
  RF_TRY(take_ring(w, false, scratch, &r, &buffers));
  if (rf_arena_counts(scratch)) {
    rf_arena_release(scratch, mark);
    return RF_OK;
  }
  load_own(&r);
  for (int64_t p = 0; p < w->n_pairs; p++) memset(w->pairs[p].z, 0, (size_t)w->pairs[p].n_rows * sizeof(real));
  for (int step = 0; step < r.ranks; step++) {
    const bool last = step == r.ranks - 1;
    if (!last) RF_TRY(pass_keys(&r, step, flights));
    attend_ring(&r, buffers);
    if (!last) RF_TRY(receive_keys(&r, step, flights));
  }
  rf_arena_release(scratch, mark);
  return RF_OK;
}

/* Diagonal after diagonal: on one, no two tiles of a pair share a block of queries or of keys, so that gradients need
 * no locks and add up in a fixed order.
 *
 *        keys 0   1   2
 *   query 0   a   c   b
 *         1   b   a   c
 *         2   c   b   a */
static void attend_ring_vjp(const ring *r, rf_ring_buffers *buffers) {
  const rf_windows *w = r->w;
  const int64_t rows = rf_ring_blocks(rows_at(r, r->rank)), columns = rf_ring_blocks(r->here.n);
  const int64_t n = rf_max(rows, columns);
  for (int64_t diagonal = 0; diagonal < n; diagonal++) {
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = 0; i < w->n_pairs * n; i++) {
      const int64_t column = i % n, row = (column + diagonal) % n;
      if (row >= rows || column >= columns) continue;
      rf_mesh_poll_within(w->mesh);
      rf_ring_tile_vjp(w, &r->here, i / n, row, column, rf_ring_buffers_of(buffers, rf_thread()));
    }
  }
}

/* After a whole turn the gradients are back with their keys' owner. */
static void add_own_gradients(const ring *r) {
  const rf_windows *w = r->w;
  const int64_t n = r->here.n, dh = w->d_head;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < w->n_pairs; p++)
    for (int64_t i = 0; i < n; i++)
      for (int64_t j = 0; j < dh; j++) {
        w->pairs[p].dk[i * w->ld + j] += r->here.dk[(p * n + i) * dh + j];
        w->pairs[p].dv[i * w->ld + j] += r->here.dv[(p * n + i) * dh + j];
      }
}

rf_status rf_ring_attend_vjp(const rf_windows *w, rf_arena *scratch) {
  const rf_mark mark = rf_arena_mark(scratch);
  rf_ring_buffers *buffers;
  rf_flight *flights[MOST_FLIGHTS];
  ring r;
  RF_TRY(take_ring(w, true, scratch, &r, &buffers));
  if (rf_arena_counts(scratch)) {
    rf_arena_release(scratch, mark);
    return RF_OK;
  }
  load_own(&r);
  for (int step = 0; step < r.ranks; step++) {
    if (r.ranks > 1) RF_TRY(pass_keys(&r, step, flights));
    attend_ring_vjp(&r, buffers);
    if (r.ranks == 1) break;
    RF_TRY(pass_gradients(&r, step));
    RF_TRY(receive_keys(&r, step, flights));
  }
  add_own_gradients(&r);
  rf_arena_release(scratch, mark);
  return RF_OK;
}
