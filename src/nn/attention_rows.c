#include "nn/attention_rows.h"
#include "comm/mesh.h"
#include "kernel/key_norm.h"
#include "nn/attention_saved.h"
#include <math.h>

static rf_windows windows_of(const rf_wave *w, const rf_exchange_shape *shape, rf_pair *pairs) {
  const rf_model_config *m = &w->self->config->model;
  return (rf_windows){.tokens = w->call->length,
                      .d_head = m->d_head,
                      .ld = rf_wave_alone(w) ? w->width : m->d_head,
                      .chunk = shape->chunk,
                      .owners = rf_owners_of(shape, rf_mesh_sequence_size(w->call->mesh)),
                      .rank = rf_mesh_sequence_rank(w->call->mesh),
                      .causal = m->causal,
                      .key_scale = 1 / rf_sqrt((real)m->d_head),
                      .rule = {.self_rule = w->shared_qk,
                               .dropout = w->call->training ? m->attention_dropout : 0,
                               .draw = rf_call_draw(w->call, w->self, RF_RNG_DROP_ATTENTION)},
                      .n_pairs = rf_wave_pairs(w),
                      .pairs = pairs,
                      .mesh = rf_wave_mesh(w)};
}

/* The tokens' buckets and masks as the exchange wants them. */
static rf_status tokens_of(const rf_wave *w, const rf_slot_layout *layout, rf_exchange_tokens *tokens) {
  const size_t pairs = (size_t)rf_wave_pairs(w);
  const void **buckets;
  const uint8_t **masks;
  uint16_t *zeros;
  *tokens = (rf_exchange_tokens){.bucket_bytes = layout->bucket_bytes, .buckets = layout->buckets};
  if (w->call->mask) {
    RF_TRY(rf_arena_take(w->call->scratch, pairs, sizeof *masks, &masks));
    for (size_t p = 0; p < pairs && !w->expected; p++)
      masks[p] = w->call->mask + (w->first_sequence + (int64_t)p / w->n_heads) * w->call->tokens;
    tokens->mask = masks;
  }
  if (layout->buckets) return RF_OK;
  RF_TRY(rf_arena_take_zero(w->call->scratch, (size_t)(layout->rounds * w->call->tokens), sizeof *zeros, &zeros));
  RF_TRY(rf_arena_take(w->call->scratch, pairs, sizeof *buckets, &buckets));
  for (size_t p = 0; p < pairs && !w->expected; p++) buckets[p] = zeros;
  tokens->bucket_bytes = sizeof *zeros;
  tokens->buckets = buckets;
  return RF_OK;
}

rf_status rf_wave_plan(rf_wave *w, const rf_slot_layout *layout) {
  const rf_exchange_shape shape = rf_wave_exchange_shape(w->self, w->call, layout, rf_wave_cut_of(w));
  rf_exchange_tokens tokens;
  rf_pair *pairs;
  RF_TRY(rf_arena_take_zero(w->call->scratch, (size_t)shape.pairs, sizeof *pairs, &pairs));
  RF_TRY(tokens_of(w, layout, &tokens));
  w->windows = windows_of(w, &shape, pairs);
  if (w->expected)
    return rf_exchange_footprint(&shape, rf_mesh_sequence_size(w->call->mesh), rf_mesh_sequence_rank(w->call->mesh),
                                 tokens.bucket_bytes, w->expected, w->call->plans, w->call->scratch);
  RF_TRY(rf_exchange_create(w->call->mesh, &shape, &tokens, w->call->plans, w->call->scratch, &w->exchange));
  for (int64_t i = 0; i < shape.pairs; i++) {
    const rf_exchange_pair *rows = rf_exchange_pair_of(w->exchange, i);
    const int64_t sequence = w->first_sequence + i / w->n_heads;
    pairs[i] = (rf_pair){.n_rows = rows->n_rows,
                         .position = rows->position,
                         .mask = w->call->mask ? rows->mask : NULL,
                         .row_of_slot = rows->row_of_slot,
                         .chunk_in_round = rows->chunk_in_round,
                         .bucket_in_round = rows->bucket_in_round,
                         .head = (uint32_t)(w->first_head + i % w->n_heads),
                         .sequence = w->call->sequence ? w->call->sequence[sequence] : 0};
  }
  return RF_OK;
}

/* What a row of an array is. Vectors of the heads of a token lie side by side at home, numbers by (sequence, head). */
typedef enum row_kind { VECTORS, NUMBERS } row_kind; /* d_head reals, which may be 1; one real */

static int64_t row_width(const rf_wave *w, row_kind kind) {
  return kind == VECTORS ? w->self->config->model.d_head : 1;
}

/* Where a pair's part of an array starts, on either side. */
static real *at_home(const rf_wave *w, real *array, row_kind kind, int64_t pair) {
  const int64_t tokens = w->call->tokens;
  if (!array) return NULL;
  if (kind == NUMBERS) return array + pair * tokens;
  return array + pair / w->n_heads * tokens * w->width + pair % w->n_heads * row_width(w, kind);
}

static real *at_owner(const rf_wave *w, real *array, row_kind kind, int64_t pair, int64_t first_row) {
  if (!array) return NULL;
  return rf_wave_alone(w) ? at_home(w, array, kind, pair) : array + first_row * row_width(w, kind);
}

/* Takes an array, unless it has its place already. */
static rf_status take_array(rf_arena *arena, int64_t n, real **array) {
  return *array ? RF_OK : rf_arena_take(arena, (size_t)n, sizeof(real), array);
}

static rf_status take_queries(rf_arena *arena, int64_t big, bool shared_qk, rf_wave_arrays *s) {
  RF_TRY(take_array(arena, big, &s->q));
  if (!shared_qk) RF_TRY(take_array(arena, big, &s->k));
  if (shared_qk) s->k = s->q;
  return take_array(arena, big, &s->v);
}

/* Each array in its place, but for dq, which is used once o is not. Alone, home is the owner too, and queries, keys and
 * values are needed to the end; in parts, until the last part has left, when gradients of others have come. */
static rf_status take_apart(rf_wave *w, bool reverse) {
  rf_arena *arena = w->call->scratch;
  const int64_t big = w->rows * w->width, entries = rf_wave_pairs(w) * w->call->tokens;
  rf_wave_arrays *s = &w->home;
  RF_TRY(take_queries(arena, big, w->shared_qk, s));
  RF_TRY(take_array(arena, big, &s->o));
  RF_TRY(take_array(arena, entries, &s->m));
  RF_TRY(take_array(arena, entries, &s->z));
  if (!reverse) return RF_OK;
  RF_TRY(take_array(arena, entries, &s->delta));
  RF_TRY(take_array(arena, big, &s->d_o));
  if (w->level < RF_LEVEL_OUTPUT) s->dq = s->o;
  RF_TRY(take_array(arena, big, &s->dq));
  if (!rf_wave_alone(w) && w->shared_qk) s->dk = s->dq; /* folded into dq before it comes */
  RF_TRY(take_array(arena, big, &s->dk));
  return take_array(arena, big, &s->dv);
}

/* With other owners, and in one part, home needs an array only until its rows have left, or from when they have come:
 *
 *   one place      q ->| o ->| dq      next  v ->| d_o ->| dv      where separate  k ->| dk */
rf_status rf_wave_take_home(rf_wave *w, bool reverse) {
  if (rf_wave_alone(w) || w->parts > 1) return take_apart(w, reverse);
  rf_arena *arena = w->call->scratch;
  const int64_t big = w->rows * w->width, entries = rf_wave_pairs(w) * w->call->tokens;
  rf_wave_arrays *s = &w->home;
  RF_TRY(take_queries(arena, big, w->shared_qk, s));
  if (!s->o) s->o = s->q;
  RF_TRY(take_array(arena, entries, &s->m));
  RF_TRY(take_array(arena, entries, &s->z));
  if (!reverse) return RF_OK;
  s->d_o = s->dv = s->v;
  s->dq = s->q;
  s->dk = s->k; /* where shared, folded into dq before it comes */
  return take_array(arena, entries, &s->delta);
}

/* The owner's arrays alone, of so many rows; on several ranks. d_o comes when o has left. */
static rf_status take_rows(rf_wave *w, int64_t rows, bool reverse) {
  rf_arena *arena = w->call->scratch;
  const int64_t big = rows * w->self->config->model.d_head;
  rf_wave_arrays *s = &w->owner;
  RF_TRY(take_queries(arena, big, w->shared_qk, s));
  RF_TRY(take_array(arena, big, &s->o));
  RF_TRY(take_array(arena, rows, &s->m));
  RF_TRY(take_array(arena, rows, &s->z));
  if (!reverse) return RF_OK;
  s->d_o = s->o;
  RF_TRY(take_array(arena, rows, &s->delta));
  RF_TRY(take_array(arena, big, &s->dq));
  RF_TRY(take_array(arena, big, &s->dk));
  return take_array(arena, big, &s->dv);
}

/* Rows of all pairs at this owner. */
static int64_t rows_here(const rf_wave *w) {
  if (w->expected) return llround(rf_expected_rows(w->expected));
  return rf_exchange_rows(w->exchange);
}

static void point_pairs(const rf_wave *w) {
  const rf_wave_arrays *s = &w->owner;
  int64_t row = 0;
  for (int64_t p = 0; p < w->windows.n_pairs; p++) {
    rf_pair *pair = &w->windows.pairs[p];
    pair->q = at_owner(w, s->q, VECTORS, p, row);
    pair->k = at_owner(w, s->k, VECTORS, p, row);
    pair->v = at_owner(w, s->v, VECTORS, p, row);
    pair->o = at_owner(w, s->o, VECTORS, p, row);
    pair->m = at_owner(w, s->m, NUMBERS, p, row);
    pair->z = at_owner(w, s->z, NUMBERS, p, row);
    pair->d_o = at_owner(w, s->d_o, VECTORS, p, row);
    pair->delta = at_owner(w, s->delta, NUMBERS, p, row);
    pair->dq = at_owner(w, s->dq, VECTORS, p, row);
    pair->dk = at_owner(w, s->dk, VECTORS, p, row);
    pair->dv = at_owner(w, s->dv, VECTORS, p, row);
    pair->key_scale = w->shared_qk ? s->key_scale + row : NULL;
    row += pair->n_rows;
  }
}

rf_status rf_wave_take_owner(rf_wave *w, bool reverse) {
  const int64_t rows = rows_here(w);
  if (rf_wave_alone(w))
    w->owner = w->home;
  else
    RF_TRY(take_rows(w, rows, reverse));
  if (w->shared_qk) RF_TRY(rf_arena_take(w->call->scratch, (size_t)rows, sizeof(real), &w->owner.key_scale));
  if (!w->expected) point_pairs(w);
  return RF_OK;
}

/* One of the arrays of both sides, as the exchange wants it. */
static rf_status field_of(const rf_wave *w, row_kind kind, real *home, real *owner, rf_exchange_field *field) {
  real **tokens, **rows;
  const size_t pairs = (size_t)w->windows.n_pairs;
  RF_TRY(rf_arena_take(w->messages, pairs, sizeof *tokens, &tokens));
  RF_TRY(rf_arena_take(w->messages, pairs, sizeof *rows, &rows));
  int64_t row = 0;
  for (int64_t p = 0; p < w->windows.n_pairs && !w->expected; p++) {
    tokens[p] = at_home(w, home, kind, p);
    rows[p] = at_owner(w, owner, kind, p, row);
    row += w->windows.pairs[p].n_rows;
  }
  *field = (rf_exchange_field){.width = row_width(w, kind),
                               .tokens = tokens,
                               .tokens_ld = kind == NUMBERS ? 1 : w->width,
                               .rows = rows,
                               .rows_ld = kind == NUMBERS ? 1 : w->windows.ld};
  return RF_OK;
}

/* An array on both sides. */
typedef struct travelling {
  row_kind kind;
  real *home, *owner;
} travelling;

/* What a move would take of its messages' arena. */
static rf_status count_move(const rf_wave *w, rf_exchange_kind way, rf_exchange_rows_kind kind, int n,
                            const travelling *t) {
  const rf_slot_layout layout = w->self->ops->attention->layout(w->self, w->call);
  const rf_exchange_shape shape = rf_wave_exchange_shape(w->self, w->call, &layout, rf_wave_cut_of(w));
  int64_t widths[RF_EXCHANGE_FIELDS];
  for (int i = 0; i < n; i++) widths[i] = row_width(w, t[i].kind);
  return rf_exchange_move_footprint(&shape, rf_mesh_sequence_size(w->call->mesh), way, kind, n, widths, w->expected,
                                    w->messages);
}

static rf_status start_move(rf_wave *w, rf_exchange_kind way, rf_exchange_rows_kind kind, int n, const travelling *t) {
  rf_exchange_field fields[RF_EXCHANGE_FIELDS];
  rf_exchange_move **move = &w->moves[w->n_moves];
  if (w->n_moves == 0) w->messages_mark = rf_arena_mark(w->messages);
  for (int i = 0; i < n; i++) RF_TRY(field_of(w, t[i].kind, t[i].home, t[i].owner, &fields[i]));
  if (w->expected) {
    w->n_moves++;
    return count_move(w, way, kind, n, t);
  }
  RF_TRY(rf_exchange_start(w->exchange, way, kind, n, fields, w->messages, move));
  w->n_moves++;
  return RF_OK;
}

static rf_status travel(rf_wave *w, rf_exchange_kind way, rf_exchange_rows_kind kind, int n, const travelling *t) {
  if (rf_wave_alone(w)) return RF_OK; /* rows are tokens */
  RF_TRY_IN(w->call->phases, RF_PHASE_EXCHANGE, start_move(w, way, kind, n, t));
  return RF_OK;
}

static rf_status finish_moves(rf_wave *w) {
  for (int i = 0; i < w->n_moves && !w->expected; i++) RF_TRY(rf_exchange_finish(w->moves[i]));
  /* scratch holds younger things by now, and is given back with the waves */
  if (w->n_moves > 0 && w->messages != w->call->scratch) rf_arena_release(w->messages, w->messages_mark);
  w->n_moves = 0;
  return RF_OK;
}

rf_status rf_wave_arrive(rf_wave *w) {
  if (w->n_moves > 0) RF_TRY_IN(w->call->phases, RF_PHASE_EXCHANGE, finish_moves(w));
  return RF_OK;
}

void rf_wave_scale_keys(const rf_wave *w) {
  if (!w->shared_qk || w->expected) return;
  const int64_t dh = w->windows.d_head;
  const rf_key_norm kind = w->self->config->lsh.key_norm;
  real *scale = w->owner.key_scale;
  for (int64_t p = 0; p < w->windows.n_pairs; p++) {
    const rf_pair *pair = &w->windows.pairs[p];
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < pair->n_rows; row++)
      scale[row] = rf_key_factor(kind, dh, pair->q + row * w->windows.ld);
    scale += pair->n_rows;
  }
}

rf_status rf_wave_scatter(rf_wave *w) {
  const rf_wave_arrays *home = &w->home, *owner = &w->owner;
  const travelling q = {VECTORS, home->q, owner->q}, k = {VECTORS, home->k, owner->k}, v = {VECTORS, home->v, owner->v};
  if (w->shared_qk) return travel(w, RF_SCATTER, RF_ROWS_ALL, 2, (const travelling[]){q, v});
  RF_TRY(travel(w, RF_SCATTER, RF_ROWS_OWN, 1, &q));
  return travel(w, RF_SCATTER, RF_ROWS_ALL, 2, (const travelling[]){k, v});
}

rf_status rf_wave_gather(rf_wave *w) {
  const travelling results[] = {
      {VECTORS, w->home.o, w->owner.o}, {NUMBERS, w->home.m, w->owner.m}, {NUMBERS, w->home.z, w->owner.z}};
  return travel(w, w->part == 0 ? RF_GATHER_MERGE : RF_GATHER_MERGE_MORE, RF_ROWS_OWN, 3, results);
}

static void clear_array(const rf_wave *w, real *x, int64_t n) {
  if (w->expected) return;
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; i++) x[i] = 0;
}

rf_status rf_wave_scatter_vjp(rf_wave *w) {
  const rf_wave_arrays *home = &w->home, *owner = &w->owner;
  const travelling upstream[] = {{VECTORS, home->d_o, owner->d_o},
                                 {NUMBERS, home->m, owner->m},
                                 {NUMBERS, home->z, owner->z},
                                 {NUMBERS, home->delta, owner->delta}};
  RF_TRY(travel(w, RF_SCATTER, RF_ROWS_OWN, 4, upstream));
  const int64_t rows = rf_wave_alone(w) ? w->rows * w->width : rows_here(w) * w->windows.d_head;
  clear_array(w, owner->dq, rows);
  clear_array(w, owner->dk, rows);
  clear_array(w, owner->dv, rows);
  return RF_OK;
}

static void add_key_gradients(const rf_wave *w) {
  const int64_t dh = w->windows.d_head, ld = w->windows.ld;
  const rf_key_norm kind = w->self->config->lsh.key_norm;
  for (int64_t p = 0; p < w->windows.n_pairs; p++) {
    const rf_pair *pair = &w->windows.pairs[p];
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < pair->n_rows; row++)
      rf_key_norm_vjp(kind, dh, pair->q + row * ld, pair->dk + row * ld, pair->dq + row * ld);
  }
}

rf_status rf_wave_gather_vjp(rf_wave *w) {
  const rf_wave_arrays *home = &w->home, *owner = &w->owner;
  const travelling dq = {VECTORS, home->dq, owner->dq}, dk = {VECTORS, home->dk, owner->dk},
                   dv = {VECTORS, home->dv, owner->dv};
  if (w->shared_qk && !w->expected) add_key_gradients(w);
  if (rf_wave_alone(w)) return RF_OK;
  const int64_t cleared = w->part == 0 ? w->rows * w->width : 0; /* later parts add to it */
  clear_array(w, home->dq, cleared);
  clear_array(w, home->dv, cleared);
  if (w->shared_qk) return travel(w, RF_GATHER_SUM, RF_ROWS_ALL, 2, (const travelling[]){dq, dv});
  clear_array(w, home->dk, cleared);
  RF_TRY(travel(w, RF_GATHER_SUM, RF_ROWS_OWN, 1, &dq));
  return travel(w, RF_GATHER_SUM, RF_ROWS_ALL, 2, (const travelling[]){dk, dv});
}
