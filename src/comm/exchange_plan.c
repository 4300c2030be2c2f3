#include "comm/exchange_plan.h"
#include "base/integers.h"
#include "comm/flight.h"
#include "comm/route.h"
#include "kernel/parallel.h"
#include <assert.h>
#include <string.h>

/* While a plan is made. */
typedef struct making {
  rf_exchange *x;
  const rf_exchange_tokens *tokens;
  rf_bucket_table table;
  rf_arena *arena, *scratch;
  rf_route route;
  rf_needers *needers;           /* one a thread */
  int64_t *chunks;               /* [threads, rounds] */
  int32_t *places;               /* [pairs, rounds, own tokens] in the round's order */
  int32_t *out_count, *in_count; /* [lists] */
  int64_t record;                /* bytes of a row's record, below */
  unsigned char *out, *in;       /* records */
} making;

/* A row's record: uint32 position, its top bit set for padding; int32 place in each round; with rounds_travel also the
 * bucket in each round, in as few bytes as ids need; padded to 4 bytes. */
#define PADDING_BIT ((uint32_t)1 << 31)

rf_span rf_exchange_home(const rf_mesh *mesh, const rf_exchange_shape *shape) {
  return rf_span_of(shape->tokens, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
}

rf_span rf_exchange_owned(const rf_mesh *mesh, const rf_exchange_shape *shape) {
  const int64_t chunks = shape->rounds * (shape->tokens / shape->chunk);
  return rf_span_of(chunks, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
}

static rf_status take(making *m, size_t count, size_t size, void *pointer_out) {
  m->x->memory += count * size;
  return rf_arena_take(m->arena, count, size, pointer_out);
}

static rf_status begin(making *m) {
  rf_exchange *x = m->x;
  const rf_exchange_shape *s = &x->shape;
  const int threads = rf_threads();
  const size_t lists = (size_t)x->n_lists;
  RF_TRY(take(m, lists + 1, sizeof *x->out_first, &x->out_first));
  RF_TRY(take(m, lists + 1, sizeof *x->in_first, &x->in_first));
  RF_TRY(take(m, lists, sizeof *x->in_row, &x->in_row));
  RF_TRY(take(m, (size_t)s->pairs, sizeof *x->pair, &x->pair));
  RF_TRY(rf_arena_take_zero(m->scratch, lists, sizeof *m->out_count, &m->out_count));
  RF_TRY(rf_arena_take_zero(m->scratch, lists, sizeof *m->in_count, &m->in_count));
  RF_TRY(rf_arena_take(m->scratch, (size_t)(s->pairs * s->rounds * x->home.count), sizeof *m->places, &m->places));
  RF_TRY(rf_route_create(x->ranks, s->rounds * (s->tokens / s->chunk), s->chunks_before, s->chunks_after, m->scratch,
                         &m->route));
  RF_TRY(rf_arena_take(m->scratch, (size_t)threads, sizeof *m->needers, &m->needers));
  RF_TRY(rf_arena_take(m->scratch, (size_t)(threads * s->rounds), sizeof *m->chunks, &m->chunks));
  for (int i = 0; i < threads; i++) RF_TRY(rf_needers_create(&m->route, m->scratch, &m->needers[i]));
  m->record = (int64_t)sizeof(uint32_t) * (1 + s->rounds);
  if (s->rounds_travel) m->record += rf_ceil_div(s->rounds * m->tokens->bucket_bytes, 4) * 4;
  return RF_OK;
}

static const rf_needers *needers_of(const making *m, int64_t pair, int64_t token) {
  const rf_exchange_shape *s = &m->x->shape;
  int64_t *chunk = m->chunks + rf_thread() * s->rounds;
  rf_needers *needers = &m->needers[rf_thread()];
  for (int64_t r = 0; r < s->rounds; r++) {
    const int32_t place = m->places[(pair * s->rounds + r) * m->x->home.count + token];
    chunk[r] = r * (s->tokens / s->chunk) + place / (int32_t)s->chunk;
  }
  rf_route_find(&m->route, s->rounds, chunk, needers);
  return needers;
}

/* Which of this rank's tokens each rank needs: counted, then listed. */
static rf_status list_tokens(making *m) {
  rf_exchange *x = m->x;
  const int64_t pairs = x->shape.pairs, tokens = x->home.count;
  int64_t *next;
  assert(m->out_count);
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < pairs; p++)
    for (int64_t t = 0; t < tokens; t++) {
      const rf_needers *n = needers_of(m, p, t);
      for (int i = 0; i < n->n; i++) m->out_count[rf_list_of(x, n->rank[i], i < n->n_owners ? OWN : HALO, p)]++;
    }
  x->out_first[0] = 0;
  for (int64_t k = 0; k < x->n_lists; k++) x->out_first[k + 1] = x->out_first[k] + m->out_count[k];
  RF_TRY(take(m, (size_t)x->out_first[x->n_lists], sizeof *x->out_token, &x->out_token));
  RF_TRY(rf_arena_take(m->scratch, (size_t)x->n_lists, sizeof *next, &next));
  memcpy(next, x->out_first, (size_t)x->n_lists * sizeof *next);
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < pairs; p++)
    for (int64_t t = 0; t < tokens; t++) {
      const rf_needers *n = needers_of(m, p, t);
      for (int i = 0; i < n->n; i++) {
        const int64_t k = rf_list_of(x, n->rank[i], i < n->n_owners ? OWN : HALO, p);
        x->out_token[next[k]++] = (int32_t)t;
      }
    }
  return RF_OK;
}

/* Every rank learns how many rows it gets from each other. */
static rf_status exchange_counts(making *m) {
  rf_exchange *x = m->x;
  int64_t *one_each;
  const int64_t per_rank = KINDS * x->shape.pairs;
  RF_TRY(rf_arena_take(m->scratch, (size_t)x->ranks + 1, sizeof *one_each, &one_each));
  for (int r = 0; r <= x->ranks; r++) one_each[r] = r;
  const rf_all_to_all move = {.what = "row counts",
                              .purpose = RF_TRAFFIC_PLAN,
                              .unit = per_rank * (int64_t)sizeof *m->out_count,
                              .out = m->out_count,
                              .out_first = one_each,
                              .in = m->in_count,
                              .in_first = one_each};
  const int64_t own = x->rank * per_rank;
  memcpy(m->in_count + own, m->out_count + own, (size_t)per_rank * sizeof *m->in_count);
  RF_TRY(rf_all_to_all_run(x->mesh, RF_SCOPE_SEQUENCE, &move));
  x->plan_bytes += move.unit * (x->ranks - 1);
  x->in_first[0] = 0;
  for (int64_t k = 0; k < x->n_lists; k++) x->in_first[k + 1] = x->in_first[k] + m->in_count[k];
  return RF_OK;
}

/* Ranks are in position order, so lists behind each other are rows by position. */
static void place_lists(making *m) {
  rf_exchange *x = m->x;
  for (int64_t p = 0; p < x->shape.pairs; p++) {
    int64_t row = 0;
    for (int kind = 0; kind < KINDS; kind++) {
      for (int r = 0; r < x->ranks; r++) {
        const int64_t k = rf_list_of(x, r, kind, p);
        x->in_row[k] = row;
        row += m->in_count[k];
      }
      if (kind == OWN) x->pair[p].n_own = row;
    }
    x->pair[p].n_rows = row;
  }
  for (int r = 0; r < x->ranks; r++) {
    if (r == x->rank) continue;
    for (int kind = 0; kind < KINDS; kind++) {
      const int64_t k = rf_list_of(x, r, kind, 0), end = k + x->shape.pairs;
      const int64_t sent = x->out_first[end] - x->out_first[k], received = x->in_first[end] - x->in_first[k];
      *(kind == OWN ? &x->counts.own_sent : &x->counts.halo_sent) += sent;
      *(kind == OWN ? &x->counts.own_received : &x->counts.halo_received) += received;
    }
  }
}

static void write_record(const making *m, int64_t pair, int64_t token, unsigned char *record) {
  const rf_exchange *x = m->x;
  const rf_exchange_shape *s = &x->shape;
  const uint8_t *mask = m->tokens->mask ? m->tokens->mask[pair] : NULL;
  uint32_t position = (uint32_t)(x->home.first + token);
  if (mask && !mask[token]) position |= PADDING_BIT;
  memcpy(record, &position, sizeof position);
  record += sizeof position;
  for (int64_t r = 0; r < s->rounds; r++, record += sizeof(int32_t))
    memcpy(record, &m->places[(pair * s->rounds + r) * x->home.count + token], sizeof(int32_t));
  if (!s->rounds_travel) return;
  for (int64_t r = 0; r < s->rounds; r++, record += m->tokens->bucket_bytes) {
    const uint32_t bucket = rf_bucket_at(&m->table, pair, r * x->home.count + token);
    const uint16_t narrow = (uint16_t)bucket;
    memcpy(record, m->tokens->bucket_bytes == 2 ? (const void *)&narrow : &bucket, (size_t)m->tokens->bucket_bytes);
  }
}

/* The records of the rows that rank r needs. */
static void write_records(const making *m, int r, unsigned char *records) {
  const rf_exchange *x = m->x;
  const int64_t begin_of_rank = x->out_first[rf_list_of(x, r, OWN, 0)];
#pragma omp parallel for schedule(dynamic)
  for (int64_t i = 0; i < KINDS * x->shape.pairs; i++) {
    const int64_t k = rf_list_of(x, r, 0, 0) + i;
    for (int64_t at = x->out_first[k]; at < x->out_first[k + 1]; at++)
      write_record(m, i % x->shape.pairs, x->out_token[at], records + (at - begin_of_rank) * m->record);
  }
}

static rf_status exchange_records(making *m) {
  rf_exchange *x = m->x;
  int64_t *out_first, *in_first;
  RF_TRY(rf_arena_take(m->scratch, (size_t)x->ranks + 1, sizeof *out_first, &out_first));
  RF_TRY(rf_arena_take(m->scratch, (size_t)x->ranks + 1, sizeof *in_first, &in_first));
  out_first[0] = 0;
  for (int r = 0; r <= x->ranks; r++) {
    const int64_t k = (int64_t)r * KINDS * x->shape.pairs, next = k + KINDS * x->shape.pairs;
    in_first[r] = x->in_first[k];
    if (r < x->ranks) out_first[r + 1] = out_first[r] + (r == x->rank ? 0 : x->out_first[next] - x->out_first[k]);
  }
  const size_t record = (size_t)m->record;
  RF_TRY(rf_arena_take_zero(m->scratch, (size_t)out_first[x->ranks], record, &m->out));
  RF_TRY(rf_arena_take_zero(m->scratch, (size_t)in_first[x->ranks], record, &m->in));
  for (int r = 0; r < x->ranks; r++)
    write_records(m, r, r == x->rank ? m->in + in_first[r] * m->record : m->out + out_first[r] * m->record);
  const rf_all_to_all move = {.what = "the plan of an exchange",
                              .purpose = RF_TRAFFIC_PLAN,
                              .unit = m->record,
                              .out = m->out,
                              .out_first = out_first,
                              .in = m->in,
                              .in_first = in_first};
  x->plan_bytes += out_first[x->ranks] * m->record;
  return rf_all_to_all_run(x->mesh, RF_SCOPE_SEQUENCE, &move);
}

static rf_status take_pairs(making *m) {
  const rf_exchange_shape *s = &m->x->shape;
  const int64_t seen = m->x->owned.count > 0 ? s->chunks_before + m->x->owned.count + s->chunks_after : 0;
  for (int64_t p = 0; p < s->pairs; p++) {
    rf_exchange_pair *pair = &m->x->pair[p];
    const size_t rows = (size_t)pair->n_rows, in_rounds = rows * (size_t)s->rounds;
    RF_TRY(take(m, rows, sizeof *pair->position, &pair->position));
    RF_TRY(take(m, rows, sizeof *pair->mask, &pair->mask));
    RF_TRY(take(m, (size_t)(seen * s->chunk), sizeof *pair->row_of_slot, &pair->row_of_slot));
    pair->chunk_in_round = pair->bucket_in_round = NULL;
    if (!s->rounds_travel) continue;
    RF_TRY(take(m, in_rounds, sizeof *pair->chunk_in_round, &pair->chunk_in_round));
    RF_TRY(take(m, in_rounds, sizeof *pair->bucket_in_round, &pair->bucket_in_round));
  }
  return RF_OK;
}

/* Notes a row wherever its slot is seen: once as its own chunk's, or near it; a ring shorter than what is seen shows a
 * chunk more than once. */
static void place_row(const making *m, rf_exchange_pair *pair, int64_t row, int64_t chunk, int64_t in_chunk) {
  const rf_exchange *x = m->x;
  const int64_t seen = x->shape.chunks_before + x->owned.count + x->shape.chunks_after;
  int64_t at = (chunk - x->owned.first + x->shape.chunks_before) % m->route.chunks;
  if (at < 0) at += m->route.chunks;
  for (; at < seen; at += m->route.chunks) pair->row_of_slot[at * x->shape.chunk + in_chunk] = (int32_t)row;
}

static void read_record(const making *m, const unsigned char *record, int64_t row, rf_exchange_pair *pair) {
  const rf_exchange_shape *s = &m->x->shape;
  uint32_t position;
  memcpy(&position, record, sizeof position);
  record += sizeof position;
  pair->position[row] = (int32_t)(position & ~PADDING_BIT);
  pair->mask[row] = !(position & PADDING_BIT);
  for (int64_t r = 0; r < s->rounds; r++, record += sizeof(int32_t)) {
    int32_t place;
    memcpy(&place, record, sizeof place);
    const int64_t chunk = r * (s->tokens / s->chunk) + place / (int32_t)s->chunk;
    place_row(m, pair, row, chunk, place % (int32_t)s->chunk);
    if (s->rounds_travel) pair->chunk_in_round[r * pair->n_rows + row] = (int32_t)chunk;
  }
  if (!s->rounds_travel) return;
  for (int64_t r = 0; r < s->rounds; r++, record += m->tokens->bucket_bytes) {
    uint32_t bucket = 0;
    uint16_t narrow = 0;
    memcpy(m->tokens->bucket_bytes == 2 ? (void *)&narrow : &bucket, record, (size_t)m->tokens->bucket_bytes);
    pair->bucket_in_round[r * pair->n_rows + row] = (int32_t)(r * s->n_buckets + (narrow | bucket));
  }
}

static void read_records(making *m) {
  rf_exchange *x = m->x;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < x->shape.pairs; p++)
    for (int kind = 0; kind < KINDS; kind++)
      for (int r = 0; r < x->ranks; r++) {
        const int64_t k = rf_list_of(x, r, kind, p);
        for (int64_t i = 0; i < x->in_first[k + 1] - x->in_first[k]; i++)
          read_record(m, m->in + (x->in_first[k] + i) * m->record, x->in_row[k] + i, &x->pair[p]);
      }
}

/* With one rank rows are the tokens in order and nothing is sent: no records need to be written and read. */
static rf_status list_own_rows(making *m) {
  rf_exchange *x = m->x;
  const int64_t tokens = x->home.count;
  for (int64_t k = 0; k < x->n_lists; k++) {
    const int64_t own_lists = k < x->shape.pairs ? k : x->shape.pairs; /* OWN lists stand before HALO lists */
    x->out_first[k] = x->in_first[k] = own_lists * tokens;
    x->in_row[k] = k < x->shape.pairs ? 0 : tokens;
  }
  x->out_first[x->n_lists] = x->in_first[x->n_lists] = x->shape.pairs * tokens;
  for (int64_t p = 0; p < x->shape.pairs; p++) x->pair[p].n_own = x->pair[p].n_rows = tokens;
  RF_TRY(take(m, (size_t)(x->shape.pairs * tokens), sizeof *x->out_token, &x->out_token));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < x->shape.pairs * tokens; i++) x->out_token[i] = (int32_t)(i % tokens);
  return RF_OK;
}

static void place_own_rows(making *m) {
  rf_exchange *x = m->x;
  const rf_exchange_shape *s = &x->shape;
  const int64_t tokens = x->home.count, per_round = tokens / s->chunk;
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < s->pairs; p++) {
    rf_exchange_pair *pair = &x->pair[p];
    const uint8_t *mask = m->tokens->mask ? m->tokens->mask[p] : NULL;
    for (int64_t t = 0; t < tokens; t++) {
      pair->position[t] = (int32_t)t;
      pair->mask[t] = !mask || mask[t];
    }
    for (int64_t r = 0; r < s->rounds; r++)
      for (int64_t t = 0; t < tokens; t++) {
        const int32_t place = m->places[(p * s->rounds + r) * tokens + t];
        const int32_t chunk = (int32_t)(r * per_round) + place / (int32_t)s->chunk;
        place_row(m, pair, t, chunk, place % (int32_t)s->chunk);
        if (!s->rounds_travel) continue;
        pair->chunk_in_round[r * tokens + t] = chunk;
        pair->bucket_in_round[r * tokens + t] =
            (int32_t)(r * s->n_buckets + rf_bucket_at(&m->table, p, r * tokens + t));
      }
  }
}

static rf_status make(making *m) {
  rf_exchange *x = m->x;
  RF_TRY(begin(m));
  RF_TRY(rf_places_find(x->mesh, &m->table, x->shape.histogram, m->scratch, m->places));
  if (x->ranks == 1) {
    RF_TRY(list_own_rows(m));
    RF_TRY(take_pairs(m));
    place_own_rows(m);
    return RF_OK;
  }
  RF_TRY(list_tokens(m));
  RF_TRY(exchange_counts(m));
  place_lists(m);
  RF_TRY(exchange_records(m));
  RF_TRY(take_pairs(m));
  read_records(m);
  return RF_OK;
}

rf_status rf_exchange_create(rf_mesh *mesh, const rf_exchange_shape *shape, const rf_exchange_tokens *tokens,
                             rf_arena *arena, rf_arena *scratch, rf_exchange **exchange) {
  assert(arena != scratch && shape->pairs > 0 && shape->rounds > 0 && shape->chunk > 0);
  assert(shape->tokens % shape->chunk == 0 && shape->tokens < INT32_MAX);
  assert(shape->rounds * shape->n_buckets < INT32_MAX);
  assert(tokens->bucket_bytes == 2 || tokens->bucket_bytes == 4);
  rf_exchange *x;
  RF_TRY(rf_arena_take_zero(arena, 1, sizeof *x, &x));
  x->mesh = mesh;
  x->shape = *shape;
  x->ranks = rf_mesh_sequence_size(mesh);
  x->rank = rf_mesh_sequence_rank(mesh);
  x->home = rf_exchange_home(mesh, shape);
  x->owned = rf_exchange_owned(mesh, shape);
  x->n_lists = (int64_t)x->ranks * KINDS * shape->pairs;
  x->memory = sizeof *x;
  making m = {.x = x, .tokens = tokens, .arena = arena, .scratch = scratch};
  m.table = (rf_bucket_table){.pairs = shape->pairs,
                              .rounds = shape->rounds,
                              .length = shape->tokens,
                              .tokens = x->home.count,
                              .n_buckets = shape->n_buckets,
                              .bytes = tokens->bucket_bytes,
                              .buckets = tokens->buckets};
  const rf_mark mark = rf_arena_mark(scratch);
  RF_TRY(make(&m));
  rf_arena_release(scratch, mark);
  assert(rf_exchange_is_valid(x));
  *exchange = x;
  return RF_OK;
}

static bool pair_is_valid(const rf_exchange *x, const rf_exchange_pair *pair) {
  const int64_t seen = x->owned.count > 0 ? x->shape.chunks_before + x->owned.count + x->shape.chunks_after : 0;
  if (pair->n_own < 0 || pair->n_rows < pair->n_own) return false;
  for (int64_t i = 0; i < pair->n_rows; i++) {
    if (pair->position[i] < 0 || pair->position[i] >= x->shape.tokens) return false;
    if (i > 0 && i != pair->n_own && pair->position[i] <= pair->position[i - 1]) return false;
  }
  for (int64_t i = 0; i < seen * x->shape.chunk; i++) {
    const bool own = i / x->shape.chunk - x->shape.chunks_before >= 0 &&
                     i / x->shape.chunk - x->shape.chunks_before < x->owned.count;
    if (pair->row_of_slot[i] < 0 || pair->row_of_slot[i] >= (own ? pair->n_own : pair->n_rows)) return false;
  }
  return true;
}

bool rf_exchange_is_valid(const rf_exchange *x) {
  for (int64_t k = 0; k < x->n_lists; k++)
    if (x->out_first[k] > x->out_first[k + 1] || x->in_first[k] > x->in_first[k + 1]) return false;
  for (int64_t p = 0; p < x->shape.pairs; p++)
    if (!pair_is_valid(x, &x->pair[p])) return false;
  return true;
}

size_t rf_exchange_memory_used(const rf_exchange *x) { return x->memory; }
const rf_exchange_shape *rf_exchange_shape_of(const rf_exchange *x) { return &x->shape; }
const rf_exchange_pair *rf_exchange_pair_of(const rf_exchange *x, int64_t pair) { return &x->pair[pair]; }
int64_t rf_exchange_rows(const rf_exchange *x) { return x->in_first[x->n_lists]; }
rf_exchange_counts rf_exchange_count(const rf_exchange *x) { return x->counts; }
int64_t rf_exchange_plan_bytes(const rf_exchange *x) { return x->plan_bytes; }
