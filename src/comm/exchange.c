#include "comm/exchange.h"
#include "base/integers.h"
#include "comm/exchange_state.h"
#include "comm/flight.h"
#include "comm/traffic.h"
#include "kernel/bf16.h"
#include "kernel/parallel.h"
#include <assert.h>
#include <math.h>
#include <string.h>

/* Tokens that one task of a gather brings together; no two tasks share a token. */
enum { TOKENS_OF_TASK = 1024 };

struct rf_exchange_move {
  const rf_exchange *x;
  rf_exchange_kind kind;
  int kinds; /* 1: own rows only; 2: halo rows too */
  int n_fields;
  rf_exchange_field field[RF_EXCHANGE_FIELDS];
  /* A row in a message: its fields one after another, each of the width that its wire gives it. */
  int64_t field_at[RF_EXCHANGE_FIELDS], row_bytes;
  unsigned char *out, *in;
  real *unpacked; /* [threads, largest width] a field of a row that has arrived, where some travel as bf16 */
  int64_t unpacked_ld;
  int64_t *in_first, *out_first; /* [ranks + 1] rows of a message in the buffers; the own rank's are empty */
  rf_flight *flight;
};

/* Rows of one list, and where they stand in a message buffer. */
typedef struct row_list {
  int64_t pair, n, in_message;
  const int32_t *token; /* [n] home side; NULL at the owner's, where rows follow each other from first_row */
  int64_t first_row;
} row_list;

static row_list home_list(const rf_exchange *x, const int64_t *message_first, int rank, int kind, int64_t pair) {
  const int64_t k = rf_list_of(x, rank, kind, pair);
  return (row_list){.pair = pair,
                    .n = x->out_first[k + 1] - x->out_first[k],
                    .in_message = message_first[rank] + x->out_first[k] - x->out_first[rf_list_of(x, rank, OWN, 0)],
                    .token = x->out_token + x->out_first[k]};
}

static row_list owner_list(const rf_exchange *x, const int64_t *message_first, int rank, int kind, int64_t pair) {
  const int64_t k = rf_list_of(x, rank, kind, pair);
  return (row_list){.pair = pair,
                    .n = x->in_first[k + 1] - x->in_first[k],
                    .in_message = message_first[rank] + x->in_first[k] - x->in_first[rf_list_of(x, rank, OWN, 0)],
                    .first_row = x->in_row[k]};
}

static real *home_at(const rf_exchange_field *f, int64_t pair, int64_t token) {
  return f->tokens[pair] + token * f->tokens_ld;
}

static real *row_at(const rf_exchange_field *f, int64_t pair, int64_t row) { return f->rows[pair] + row * f->rows_ld; }

static void copy_reals(real *restrict to, const real *restrict from, int64_t n) {
  memcpy(to, from, (size_t)n * sizeof(real));
}

/* --- Between arrays and messages ---------------------------------------------------------------- */

static void pack_field(const rf_exchange_move *m, int f, const real *from, unsigned char *row) {
  const int64_t n = m->field[f].width;
  if (rf_travels_as_bf16(m->x->shape.wire, n))
    rf_bf16_pack(n, from, (uint16_t *)(void *)(row + m->field_at[f]));
  else
    memcpy(row + m->field_at[f], from, (size_t)n * sizeof(real));
}

static void unpack_field(const rf_exchange_move *m, int f, const unsigned char *row, real *to) {
  const int64_t n = m->field[f].width;
  if (rf_travels_as_bf16(m->x->shape.wire, n))
    rf_bf16_unpack(n, (const uint16_t *)(const void *)(row + m->field_at[f]), to);
  else
    memcpy(to, row + m->field_at[f], (size_t)n * sizeof(real));
}

static void pack_list(const rf_exchange_move *m, const row_list *list) {
  for (int64_t i = 0; i < list->n; i++)
    for (int f = 0; f < m->n_fields; f++) {
      const rf_exchange_field *field = &m->field[f];
      const real *from =
          list->token ? home_at(field, list->pair, list->token[i]) : row_at(field, list->pair, list->first_row + i);
      pack_field(m, f, from, m->out + (list->in_message + i) * m->row_bytes);
    }
}

static void unpack_list(const rf_exchange_move *m, const row_list *list) {
  for (int64_t i = 0; i < list->n; i++)
    for (int f = 0; f < m->n_fields; f++)
      unpack_field(m, f, m->in + (list->in_message + i) * m->row_bytes,
                   row_at(&m->field[f], list->pair, list->first_row + i));
}

/* A field of row i of a list on the home side: of this rank's own rows, or as it has arrived. */
static const real *field_of_row(const rf_exchange_move *m, int f, const row_list *list, int64_t i, bool at_home) {
  if (at_home) return row_at(&m->field[f], list->pair, list->first_row + i);
  const unsigned char *row = m->in + (list->in_message + i) * m->row_bytes;
  if (m->x->shape.wire == RF_WIRE_REAL) return (const real *)(const void *)(row + m->field_at[f]);
  real *unpacked = m->unpacked + rf_thread() * m->unpacked_ld;
  unpack_field(m, f, row, unpacked);
  return unpacked;
}

/* With one rank rows may be the tokens themselves. (With more, pointers to nothing may happen to be equal.) */
static bool is_same(const rf_exchange_move *m, int f, int64_t pair) {
  return m->x->ranks == 1 && m->field[f].tokens[pair] == m->field[f].rows[pair];
}

/* Rows whose owner is their home. */
static void scatter_at_home(const rf_exchange_move *m) {
  const rf_exchange *x = m->x;
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < m->kinds * x->shape.pairs; i++) {
    const int kind = (int)(i / x->shape.pairs);
    const int64_t pair = i % x->shape.pairs;
    const row_list from = home_list(x, m->out_first, x->rank, kind, pair);
    const row_list to = owner_list(x, m->in_first, x->rank, kind, pair);
    for (int f = 0; f < m->n_fields; f++) {
      const rf_exchange_field *field = &m->field[f];
      if (is_same(m, f, pair)) continue;
      for (int64_t k = 0; k < from.n; k++)
        copy_reals(row_at(field, pair, to.first_row + k), home_at(field, pair, from.token[k]), field->width);
    }
  }
}

/* --- Gather: many rows to a token --------------------------------------------------------------- */

static void add_row(const rf_exchange_move *m, const row_list *list, int64_t i, bool at_home) {
  for (int f = 0; f < m->n_fields; f++) {
    const rf_exchange_field *field = &m->field[f];
    if (at_home && is_same(m, f, list->pair)) continue;
    const real *restrict from = field_of_row(m, f, list, i, at_home);
    real *restrict to = home_at(field, list->pair, list->token[i]);
#pragma omp simd
    for (int64_t j = 0; j < field->width; j++) to[j] += from[j];
  }
}

static void merge_row(const rf_exchange_move *m, const row_list *list, int64_t i, bool at_home) {
  const rf_exchange_field *o = &m->field[0], *largest = &m->field[1], *sum = &m->field[2];
  const int64_t token = list->token[i], n = o->width;
  const real from_m = *field_of_row(m, 1, list, i, at_home), from_z = *field_of_row(m, 2, list, i, at_home);
  real *restrict to = home_at(o, list->pair, token);
  real *to_m = home_at(largest, list->pair, token), *to_z = home_at(sum, list->pair, token);
  if (from_z == 0) return;
  const real *restrict from = field_of_row(m, 0, list, i, at_home);
  if (*to_z == 0) {
    copy_reals(to, from, n);
    *to_m = from_m;
    *to_z = from_z;
    return;
  }
  const real both = from_m > *to_m ? from_m : *to_m;
  const real keep = rf_exp(*to_m - both), take = rf_exp(from_m - both);
#pragma omp simd
  for (int64_t j = 0; j < n; j++) to[j] = to[j] * keep + from[j] * take;
  *to_z = *to_z * keep + from_z * take;
  *to_m = both;
}

/* First entry of a rising list that is not below `token`. */
static int64_t first_from(const row_list *list, int64_t token) {
  int64_t low = 0, high = list->n;
  while (low < high) {
    const int64_t middle = (low + high) / 2;
    if (list->token[middle] < token)
      low = middle + 1;
    else
      high = middle;
  }
  return low;
}

/* Brings the rows of tokens first .. end - 1 of a pair together: own before halo, home before others, others by rank.
 */
static void gather_tokens(const rf_exchange_move *m, int64_t pair, int64_t first, int64_t end) {
  const rf_exchange *x = m->x;
  if (m->kind == RF_GATHER_MERGE)
    for (int64_t t = first; t < end; t++) {
      memset(home_at(&m->field[0], pair, t), 0, (size_t)m->field[0].width * sizeof(real));
      *home_at(&m->field[1], pair, t) = 0;
      *home_at(&m->field[2], pair, t) = 0;
    }
  for (int kind = 0; kind < m->kinds; kind++)
    for (int place = -1; place < x->ranks; place++) {
      const int rank = place < 0 ? x->rank : place;
      if (place == x->rank) continue;
      row_list list = home_list(x, m->in_first, rank, kind, pair);
      if (place < 0) list.first_row = owner_list(x, m->out_first, rank, kind, pair).first_row;
      for (int64_t i = first_from(&list, first); i < list.n && list.token[i] < end; i++) {
        if (m->kind == RF_GATHER_SUM)
          add_row(m, &list, i, place < 0);
        else
          merge_row(m, &list, i, place < 0);
      }
    }
}

static void gather_rows(const rf_exchange_move *m) {
  const rf_exchange *x = m->x;
  if (m->kind != RF_GATHER_SUM && is_same(m, 0, 0)) return; /* one rank, in place: nothing to merge */
  const int64_t tasks = rf_ceil_div(x->home.count, TOKENS_OF_TASK);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < tasks * x->shape.pairs; i++) {
    const int64_t first = i % tasks * TOKENS_OF_TASK;
    gather_tokens(m, i / tasks, first, rf_min(first + TOKENS_OF_TASK, x->home.count));
  }
}

/* --- The operations ----------------------------------------------------------------------------- */

/* Rows of the message to or from each rank. */
static void cut_messages(const rf_exchange_move *m, const int64_t *list_first, int64_t *cuts) {
  const rf_exchange *x = m->x;
  cuts[0] = 0;
  for (int r = 0; r < x->ranks; r++) {
    const int64_t k = rf_list_of(x, r, OWN, 0), rows = list_first[k + m->kinds * x->shape.pairs] - list_first[k];
    cuts[r + 1] = cuts[r] + (r == x->rank ? 0 : rows);
  }
}

/* Packs or unpacks all lists of messages, from where they start in them. home: the lists of tokens, not of rows. */
static void for_lists_of_others(const rf_exchange_move *m, const int64_t *message_first, bool home,
                                void (*carry)(const rf_exchange_move *m, const row_list *list)) {
  const rf_exchange *x = m->x;
  const int64_t per_rank = m->kinds * x->shape.pairs;
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < x->ranks * per_rank; i++) {
    const int rank = (int)(i / per_rank), kind = (int)(i % per_rank / x->shape.pairs);
    if (rank == x->rank) continue;
    const int64_t pair = i % x->shape.pairs;
    const row_list list =
        home ? home_list(x, message_first, rank, kind, pair) : owner_list(x, message_first, rank, kind, pair);
    carry(m, &list);
  }
}

static void count_traffic(const rf_exchange_move *m) {
  const rf_exchange_counts *n = &m->x->counts;
  const int64_t row = m->row_bytes;
  rf_traffic_add(m->x->mesh, RF_TRAFFIC_ROWS, (m->kind == RF_SCATTER ? n->own_sent : n->own_received) * row);
  if (m->kinds == 1) return;
  rf_traffic_add(m->x->mesh, RF_TRAFFIC_HALO, (m->kind == RF_SCATTER ? n->halo_sent : n->halo_received) * row);
}

static rf_status launch_rows(rf_exchange_move *m) {
  const rf_exchange *x = m->x;
  RF_TRY(rf_flight_open(x->mesh, RF_SCOPE_SEQUENCE, "rows", m->row_bytes, &m->flight));
  for (int d = 1; d < x->ranks; d++) {
    const int to = (x->rank + d) % x->ranks, from = (x->rank - d + x->ranks) % x->ranks;
    rf_flight_receive(m->flight, from, m->in + m->in_first[from] * m->row_bytes,
                      m->in_first[from + 1] - m->in_first[from]);
    rf_flight_send(m->flight, to, m->out + m->out_first[to] * m->row_bytes, m->out_first[to + 1] - m->out_first[to]);
  }
  count_traffic(m);
  return rf_flight_launch(m->flight);
}

/* A field more in the row of a message. */
static void add_field(rf_exchange_move *m, rf_wire wire, const rf_exchange_field *field) {
  m->field[m->n_fields] = *field;
  m->field_at[m->n_fields++] = m->row_bytes;
  m->row_bytes += rf_wire_bytes(wire, field->width);
  m->unpacked_ld = rf_max(m->unpacked_ld, field->width);
}

static rf_status take_message_cuts(rf_exchange_move *m, int ranks, rf_arena *arena) {
  RF_TRY(rf_arena_take(arena, (size_t)ranks + 1, sizeof *m->out_first, &m->out_first));
  return rf_arena_take(arena, (size_t)ranks + 1, sizeof *m->in_first, &m->in_first);
}

/* out, in: rows. */
static rf_status take_messages(rf_exchange_move *m, int64_t out, int64_t in, rf_arena *arena) {
  RF_TRY(rf_arena_take(arena, (size_t)(out * m->row_bytes), sizeof *m->out, &m->out));
  RF_TRY(rf_arena_take(arena, (size_t)(in * m->row_bytes), sizeof *m->in, &m->in));
  return rf_arena_take(arena, (size_t)(rf_threads() * m->unpacked_ld), sizeof(real), &m->unpacked);
}

rf_status rf_exchange_start(const rf_exchange *x, rf_exchange_kind kind, rf_exchange_rows_kind rows, int n_fields,
                            const rf_exchange_field *fields, rf_arena *arena, rf_exchange_move **move) {
  const bool scatter = kind == RF_SCATTER;
  assert(rf_exchange_is_valid(x) && n_fields > 0 && n_fields <= RF_EXCHANGE_FIELDS);
  assert((kind != RF_GATHER_MERGE && kind != RF_GATHER_MERGE_MORE) ||
         (rows == RF_ROWS_OWN && n_fields == 3 && fields[1].width == 1 && fields[2].width == 1));
  rf_exchange_move *m;
  RF_TRY(rf_arena_take(arena, 1, sizeof *m, &m));
  *m = (rf_exchange_move){.x = x, .kind = kind, .kinds = rows == RF_ROWS_OWN ? 1 : KINDS};
  for (int f = 0; f < n_fields; f++) add_field(m, x->shape.wire, &fields[f]);
  RF_TRY(take_message_cuts(m, x->ranks, arena));
  cut_messages(m, scatter ? x->out_first : x->in_first, m->out_first);
  cut_messages(m, scatter ? x->in_first : x->out_first, m->in_first);
  if (x->ranks > 1) {
    RF_TRY(take_messages(m, m->out_first[x->ranks], m->in_first[x->ranks], arena));
    for_lists_of_others(m, m->out_first, scatter, pack_list);
    RF_TRY(launch_rows(m));
  }
  if (scatter) scatter_at_home(m);
  *move = m;
  return RF_OK;
}

rf_status rf_exchange_move_footprint(const rf_exchange_shape *shape, int ranks, rf_exchange_kind kind,
                                     rf_exchange_rows_kind rows, int n_fields, const int64_t *widths,
                                     const rf_exchange_expectation *expected, rf_arena *arena) {
  rf_exchange_move m = {.kind = kind};
  const bool scatter = kind == RF_SCATTER, all = rows == RF_ROWS_ALL;
  const int64_t sent = llround(expected->own_sent + (all ? expected->halo_sent : 0));
  const int64_t received = llround(expected->own_received + (all ? expected->halo_received : 0));
  void *nothing;
  RF_TRY(rf_arena_take(arena, 1, sizeof m, &nothing));
  for (int f = 0; f < n_fields; f++) add_field(&m, shape->wire, &(rf_exchange_field){.width = widths[f]});
  RF_TRY(take_message_cuts(&m, ranks, arena));
  if (ranks == 1) return RF_OK;
  return take_messages(&m, scatter ? sent : received, scatter ? received : sent, arena);
}

rf_status rf_exchange_finish(rf_exchange_move *m) {
  RF_TRY(rf_flight_wait(m->flight));
  m->flight = NULL;
  if (m->kind == RF_SCATTER)
    for_lists_of_others(m, m->in_first, false, unpack_list);
  else
    gather_rows(m);
  return RF_OK;
}
