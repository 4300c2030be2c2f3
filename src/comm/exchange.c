#include "comm/exchange.h"
#include "base/integers.h"
#include "comm/exchange_plan.h"
#include "comm/flight.h"
#include "kernel/bf16.h"
#include "kernel/parallel.h"
#include <assert.h>
#include <string.h>

typedef enum move_kind { SCATTER, GATHER_SUM, GATHER_MERGE } move_kind;

/* Tokens that one task of a gather brings together; no two tasks share a token. */
enum { TOKENS_OF_TASK = 1024 };

struct rf_exchange_move {
  const rf_exchange *x;
  move_kind kind;
  int kinds; /* 1: own rows only; 2: halo rows too */
  int n_fields;
  rf_exchange_field field[RF_EXCHANGE_FIELDS];
  /* A row in a message: its fields one after another, each of the width that its wire gives it. */
  int64_t field_at[RF_EXCHANGE_FIELDS], row_bytes;
  unsigned char *in;
  real *unpacked; /* [threads, largest width] a field of a row that has arrived, where messages are narrow */
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

static real *token_at(const rf_exchange_field *f, int64_t pair, int64_t token) {
  return f->tokens[pair] + token * f->tokens_ld;
}

static real *row_at(const rf_exchange_field *f, int64_t pair, int64_t row) { return f->rows[pair] + row * f->rows_ld; }

static void copy(real *restrict to, const real *restrict from, int64_t n) {
  memcpy(to, from, (size_t)n * sizeof(real));
}

/* --- Between arrays and messages ---------------------------------------------------------------- */

static bool is_narrow(rf_wire wire, int64_t width) { return wire == RF_WIRE_BF16 && width > 1; }

int64_t rf_wire_bytes(rf_wire wire, int64_t width) {
  return width * (int64_t)(is_narrow(wire, width) ? sizeof(uint16_t) : sizeof(real));
}

static void put(const rf_exchange_move *m, int f, const real *from, unsigned char *row) {
  const int64_t n = m->field[f].width;
  if (is_narrow(m->x->shape.wire, n))
    rf_bf16_pack(n, from, (uint16_t *)(void *)(row + m->field_at[f]));
  else
    memcpy(row + m->field_at[f], from, (size_t)n * sizeof(real));
}

static void take(const rf_exchange_move *m, int f, const unsigned char *row, real *to) {
  const int64_t n = m->field[f].width;
  if (is_narrow(m->x->shape.wire, n))
    rf_bf16_unpack(n, (const uint16_t *)(const void *)(row + m->field_at[f]), to);
  else
    memcpy(to, row + m->field_at[f], (size_t)n * sizeof(real));
}

static void pack_list(const rf_exchange_move *m, const row_list *list, unsigned char *buffer) {
  for (int64_t i = 0; i < list->n; i++)
    for (int f = 0; f < m->n_fields; f++) {
      const rf_exchange_field *field = &m->field[f];
      const real *from =
          list->token ? token_at(field, list->pair, list->token[i]) : row_at(field, list->pair, list->first_row + i);
      put(m, f, from, buffer + (list->in_message + i) * m->row_bytes);
    }
}

static void unpack_list(const rf_exchange_move *m, const row_list *list) {
  for (int64_t i = 0; i < list->n; i++)
    for (int f = 0; f < m->n_fields; f++)
      take(m, f, m->in + (list->in_message + i) * m->row_bytes, row_at(&m->field[f], list->pair, list->first_row + i));
}

/* A field of row i of a list on the home side: of this rank's own rows, or as it has arrived. */
static const real *field_of_row(const rf_exchange_move *m, int f, const row_list *list, int64_t i, bool at_home) {
  if (at_home) return row_at(&m->field[f], list->pair, list->first_row + i);
  const unsigned char *row = m->in + (list->in_message + i) * m->row_bytes;
  if (m->x->shape.wire == RF_WIRE_REAL) return (const real *)(const void *)(row + m->field_at[f]);
  real *unpacked = m->unpacked + rf_thread() * m->unpacked_ld;
  take(m, f, row, unpacked);
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
        copy(row_at(field, pair, to.first_row + k), token_at(field, pair, from.token[k]), field->width);
    }
  }
}

/* --- Gather: many rows to a token --------------------------------------------------------------- */

static void add_row(const rf_exchange_move *m, const row_list *list, int64_t i, bool at_home) {
  for (int f = 0; f < m->n_fields; f++) {
    const rf_exchange_field *field = &m->field[f];
    if (at_home && is_same(m, f, list->pair)) continue;
    const real *restrict from = field_of_row(m, f, list, i, at_home);
    real *restrict to = token_at(field, list->pair, list->token[i]);
#pragma omp simd
    for (int64_t j = 0; j < field->width; j++) to[j] += from[j];
  }
}

static void merge_row(const rf_exchange_move *m, const row_list *list, int64_t i, bool at_home) {
  const rf_exchange_field *o = &m->field[0], *largest = &m->field[1], *sum = &m->field[2];
  const int64_t token = list->token[i], n = o->width;
  const real from_m = *field_of_row(m, 1, list, i, at_home), from_z = *field_of_row(m, 2, list, i, at_home);
  real *restrict to = token_at(o, list->pair, token);
  real *to_m = token_at(largest, list->pair, token), *to_z = token_at(sum, list->pair, token);
  if (from_z == 0) return;
  const real *restrict from = field_of_row(m, 0, list, i, at_home);
  if (*to_z == 0) {
    copy(to, from, n);
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
  if (m->kind == GATHER_MERGE)
    for (int64_t t = first; t < end; t++) {
      memset(token_at(&m->field[0], pair, t), 0, (size_t)m->field[0].width * sizeof(real));
      *token_at(&m->field[1], pair, t) = 0;
      *token_at(&m->field[2], pair, t) = 0;
    }
  for (int kind = 0; kind < m->kinds; kind++)
    for (int place = -1; place < x->ranks; place++) {
      const int rank = place < 0 ? x->rank : place;
      if (place == x->rank) continue;
      row_list list = home_list(x, m->in_first, rank, kind, pair);
      if (place < 0) list.first_row = owner_list(x, m->out_first, rank, kind, pair).first_row;
      for (int64_t i = first_from(&list, first); i < list.n && list.token[i] < end; i++) {
        if (m->kind == GATHER_SUM)
          add_row(m, &list, i, place < 0);
        else
          merge_row(m, &list, i, place < 0);
      }
    }
}

static void gather(const rf_exchange_move *m) {
  const rf_exchange *x = m->x;
  if (m->kind == GATHER_MERGE && is_same(m, 0, 0)) return; /* one rank, in place: nothing to merge */
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

static void pack(const rf_exchange_move *m, unsigned char *out) {
  const rf_exchange *x = m->x;
  const int64_t per_rank = m->kinds * x->shape.pairs;
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < x->ranks * per_rank; i++) {
    const int rank = (int)(i / per_rank), kind = (int)(i % per_rank / x->shape.pairs);
    if (rank == x->rank) continue;
    const int64_t pair = i % x->shape.pairs;
    const row_list list = m->kind == SCATTER ? home_list(x, m->out_first, rank, kind, pair)
                                             : owner_list(x, m->out_first, rank, kind, pair);
    pack_list(m, &list, out);
  }
}

static void count_traffic(const rf_exchange_move *m) {
  const rf_exchange_counts *n = &m->x->counts;
  const int64_t row = m->row_bytes;
  rf_traffic_add(m->x->mesh, RF_TRAFFIC_ROWS, (m->kind == SCATTER ? n->own_sent : n->own_received) * row);
  if (m->kinds == 1) return;
  rf_traffic_add(m->x->mesh, RF_TRAFFIC_HALO, (m->kind == SCATTER ? n->halo_sent : n->halo_received) * row);
}

static rf_status launch(rf_exchange_move *m, rf_arena *arena) {
  const rf_exchange *x = m->x;
  unsigned char *out;
  RF_TRY(rf_arena_take(arena, (size_t)(m->out_first[x->ranks] * m->row_bytes), sizeof *out, &out));
  RF_TRY(rf_arena_take(arena, (size_t)(m->in_first[x->ranks] * m->row_bytes), sizeof *m->in, &m->in));
  RF_TRY(rf_arena_take(arena, (size_t)(rf_threads() * m->unpacked_ld), sizeof(real), &m->unpacked));
  pack(m, out);
  RF_TRY(rf_flight_open(x->mesh, RF_SCOPE_SEQUENCE, "rows", m->row_bytes, &m->flight));
  for (int d = 1; d < x->ranks; d++) {
    const int to = (x->rank + d) % x->ranks, from = (x->rank - d + x->ranks) % x->ranks;
    rf_flight_receive(m->flight, from, m->in + m->in_first[from] * m->row_bytes,
                      m->in_first[from + 1] - m->in_first[from]);
    rf_flight_send(m->flight, to, out + m->out_first[to] * m->row_bytes, m->out_first[to + 1] - m->out_first[to]);
  }
  count_traffic(m);
  return rf_flight_launch(m->flight);
}

static rf_status start(const rf_exchange *x, move_kind kind, int kinds, int n_fields, const rf_exchange_field *fields,
                       rf_arena *arena, rf_exchange_move **move) {
  assert(n_fields > 0 && n_fields <= RF_EXCHANGE_FIELDS);
  rf_exchange_move *m;
  RF_TRY(rf_arena_take_zero(arena, 1, sizeof *m, &m));
  m->x = x;
  m->kind = kind;
  m->kinds = kinds;
  m->n_fields = n_fields;
  for (int f = 0; f < n_fields; f++) {
    m->field[f] = fields[f];
    m->field_at[f] = m->row_bytes;
    m->row_bytes += rf_wire_bytes(x->shape.wire, fields[f].width);
    m->unpacked_ld = rf_max(m->unpacked_ld, fields[f].width);
  }
  RF_TRY(rf_arena_take(arena, (size_t)x->ranks + 1, sizeof *m->out_first, &m->out_first));
  RF_TRY(rf_arena_take(arena, (size_t)x->ranks + 1, sizeof *m->in_first, &m->in_first));
  cut_messages(m, kind == SCATTER ? x->out_first : x->in_first, m->out_first);
  cut_messages(m, kind == SCATTER ? x->in_first : x->out_first, m->in_first);
  if (x->ranks > 1) RF_TRY(launch(m, arena));
  *move = m;
  return RF_OK;
}

rf_status rf_exchange_scatter_start(const rf_exchange *x, rf_exchange_rows_kind kind, int n_fields,
                                    const rf_exchange_field *fields, rf_arena *arena, rf_exchange_move **move) {
  RF_TRY(start(x, SCATTER, kind == RF_ROWS_OWN ? 1 : KINDS, n_fields, fields, arena, move));
  scatter_at_home(*move);
  return RF_OK;
}

rf_status rf_exchange_gather_sum_start(const rf_exchange *x, rf_exchange_rows_kind kind, int n_fields,
                                       const rf_exchange_field *fields, rf_arena *arena, rf_exchange_move **move) {
  return start(x, GATHER_SUM, kind == RF_ROWS_OWN ? 1 : KINDS, n_fields, fields, arena, move);
}

rf_status rf_exchange_gather_merge_start(const rf_exchange *x, const rf_exchange_field fields[3], rf_arena *arena,
                                         rf_exchange_move **move) {
  assert(fields[1].width == 1 && fields[2].width == 1);
  return start(x, GATHER_MERGE, 1, 3, fields, arena, move);
}

static void unpack(const rf_exchange_move *m) {
  const rf_exchange *x = m->x;
  const int64_t per_rank = m->kinds * x->shape.pairs;
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < x->ranks * per_rank; i++) {
    const int rank = (int)(i / per_rank), kind = (int)(i % per_rank / x->shape.pairs);
    if (rank == x->rank) continue;
    const row_list list = owner_list(x, m->in_first, rank, kind, i % x->shape.pairs);
    unpack_list(m, &list);
  }
}

rf_status rf_exchange_finish(rf_exchange_move *m) {
  RF_TRY(rf_flight_wait(m->flight));
  m->flight = NULL;
  if (m->kind == SCATTER)
    unpack(m);
  else
    gather(m);
  return RF_OK;
}
