#include "comm/exchange_plan.h"
#include "comm/all_to_all.h"
#include "comm/destinations.h"
#include "comm/exchange_record.h"
#include "comm/exchange_state.h"
#include "comm/histogram.h"
#include "comm/mesh_view.h"
#include "kernel/parallel.h"
#include <assert.h>
#include <math.h>
#include <string.h>

/* Chunks of a pair's ring that the windows of a stretch of one round see, and where their slots begin among the pair's.
 */
typedef struct seen_stretch {
  int64_t first, count, at; /* first: in the ring, and below 0 where it wraps */
} seen_stretch;

/* While a plan is made. */
typedef struct making {
  rf_exchange *x;
  const rf_exchange_tokens *tokens;
  rf_bucket_table table;
  rf_arena *arena, *scratch;
  rf_destinations *destinations; /* one a thread */
  int64_t *chunks;               /* [threads, rounds] */
  seen_stretch *seen;            /* [pairs, rounds] */
  int32_t *places;               /* [pairs, rounds, own tokens] in the round's order */
  int32_t *out_count, *in_count; /* [lists] */
  int64_t record;                /* bytes of a row's record */
  /* with more than one rank */
  int64_t *next;                            /* [lists] */
  int64_t *one_each, *out_first, *in_first; /* [ranks + 1] records to and from each rank */
  unsigned char *out, *in;                  /* records */
} making;

rf_span rf_exchange_home(const rf_mesh *mesh, const rf_exchange_shape *shape) {
  return rf_home_of(shape, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
}

static rf_exchange exchange_at(const rf_exchange_shape *shape, int ranks, int rank) {
  return (rf_exchange){.shape = *shape,
                       .ranks = ranks,
                       .rank = rank,
                       .home = rf_home_of(shape, ranks, rank),
                       .owners = rf_owners_of(shape, ranks),
                       .n_lists = (int64_t)ranks * KINDS * shape->pairs,
                       .memory = sizeof(rf_exchange)};
}

/* --- What is taken: by a plan, and by its footprint ---------------------------------------------- */

static rf_status take_kept(making *m, size_t count, size_t size, void *pointer_out) {
  m->x->memory += count * size;
  return rf_arena_take(m->arena, count, size, pointer_out);
}

static rf_status take_lists(making *m) {
  rf_exchange *x = m->x;
  const size_t lists = (size_t)x->n_lists;
  RF_TRY(take_kept(m, lists + 1, sizeof *x->out_first, &x->out_first));
  RF_TRY(take_kept(m, lists + 1, sizeof *x->in_first, &x->in_first));
  RF_TRY(take_kept(m, lists, sizeof *x->in_row, &x->in_row));
  RF_TRY(take_kept(m, (size_t)x->shape.pairs, sizeof *x->pair, &x->pair));
  RF_TRY(rf_arena_take_zero(m->scratch, lists, sizeof *m->out_count, &m->out_count));
  return rf_arena_take_zero(m->scratch, lists, sizeof *m->in_count, &m->in_count);
}

static rf_status take_destinations(making *m) {
  const rf_exchange *x = m->x;
  const rf_exchange_shape *s = &x->shape;
  const int threads = rf_threads();
  RF_TRY(rf_arena_take(m->scratch, (size_t)(s->pairs * s->rounds * x->home.count), sizeof *m->places, &m->places));
  RF_TRY(rf_arena_take(m->scratch, (size_t)(s->pairs * s->rounds), sizeof *m->seen, &m->seen));
  RF_TRY(rf_arena_take(m->scratch, (size_t)threads, sizeof *m->destinations, &m->destinations));
  RF_TRY(rf_arena_take(m->scratch, (size_t)(threads * s->rounds), sizeof *m->chunks, &m->chunks));
  for (int i = 0; i < threads; i++) {
    rf_destinations one;
    RF_TRY(rf_destinations_create(x->ranks, m->scratch, &one));
    if (!rf_arena_counts(m->scratch)) m->destinations[i] = one;
  }
  return RF_OK;
}

static rf_status take_cuts(making *m) {
  const size_t cuts = (size_t)m->x->ranks + 1;
  RF_TRY(rf_arena_take(m->scratch, (size_t)m->x->n_lists, sizeof *m->next, &m->next));
  RF_TRY(rf_arena_take(m->scratch, cuts, sizeof *m->one_each, &m->one_each));
  RF_TRY(rf_arena_take(m->scratch, cuts, sizeof *m->out_first, &m->out_first));
  return rf_arena_take(m->scratch, cuts, sizeof *m->in_first, &m->in_first);
}

/* out, in: rows. */
static rf_status take_records(making *m, int64_t out, int64_t in) {
  RF_TRY(rf_arena_take_zero(m->scratch, (size_t)out, (size_t)m->record, &m->out));
  return rf_arena_take_zero(m->scratch, (size_t)in, (size_t)m->record, &m->in);
}

static rf_status take_pair(making *m, int64_t index, int64_t n_rows, rf_exchange_pair *pair) {
  const rf_exchange_shape *s = &m->x->shape;
  const size_t rows = (size_t)n_rows, in_rounds = rows * (size_t)s->rounds;
  const size_t slots = (size_t)(rf_owners_seen(&m->x->owners, m->x->rank, index) * s->chunk);
  RF_TRY(take_kept(m, rows, sizeof *pair->position, &pair->position));
  RF_TRY(take_kept(m, rows, sizeof *pair->mask, &pair->mask));
  RF_TRY(take_kept(m, slots, sizeof *pair->row_of_slot, &pair->row_of_slot));
  pair->chunk_in_round = pair->bucket_in_round = NULL;
  if (!s->rounds_travel) return RF_OK;
  RF_TRY(take_kept(m, in_rounds, sizeof *pair->chunk_in_round, &pair->chunk_in_round));
  return take_kept(m, in_rounds, sizeof *pair->bucket_in_round, &pair->bucket_in_round);
}

/* --- Which rows go where ------------------------------------------------------------------------- */

static const rf_destinations *destinations_of(const making *m, int64_t pair, int64_t token) {
  const rf_exchange_shape *s = &m->x->shape;
  int64_t *chunk = m->chunks + rf_thread() * s->rounds;
  rf_destinations *destinations = &m->destinations[rf_thread()];
  for (int64_t r = 0; r < s->rounds; r++) {
    const int32_t place = m->places[(pair * s->rounds + r) * m->x->home.count + token];
    chunk[r] = place / (int32_t)s->chunk;
  }
  rf_destinations_find(&m->x->owners, pair, chunk, destinations);
  return destinations;
}

/* Which of this rank's tokens each rank needs: counted, then listed. */
static rf_status list_tokens(making *m) {
  rf_exchange *x = m->x;
  const int64_t pairs = x->shape.pairs, tokens = x->home.count;
  assert(m->out_count);
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < pairs; p++)
    for (int64_t t = 0; t < tokens; t++) {
      const rf_destinations *n = destinations_of(m, p, t);
      for (int i = 0; i < n->n; i++) m->out_count[rf_list_of(x, n->rank[i], i < n->n_owners ? OWN : HALO, p)]++;
    }
  x->out_first[0] = 0;
  for (int64_t k = 0; k < x->n_lists; k++) x->out_first[k + 1] = x->out_first[k] + m->out_count[k];
  RF_TRY(take_kept(m, (size_t)x->out_first[x->n_lists], sizeof *x->out_token, &x->out_token));
  memcpy(m->next, x->out_first, (size_t)x->n_lists * sizeof *m->next);
#pragma omp parallel for schedule(static)
  for (int64_t p = 0; p < pairs; p++)
    for (int64_t t = 0; t < tokens; t++) {
      const rf_destinations *n = destinations_of(m, p, t);
      for (int i = 0; i < n->n; i++) {
        const int64_t k = rf_list_of(x, n->rank[i], i < n->n_owners ? OWN : HALO, p);
        x->out_token[m->next[k]++] = (int32_t)t;
      }
    }
  return RF_OK;
}

/* Every rank learns how many rows it gets from each other. */
static rf_status exchange_counts(making *m) {
  rf_exchange *x = m->x;
  const int64_t per_rank = KINDS * x->shape.pairs;
  for (int r = 0; r <= x->ranks; r++) m->one_each[r] = r;
  const rf_all_to_all move = {.what = "row counts",
                              .purpose = RF_TRAFFIC_PLAN,
                              .unit = per_rank * (int64_t)sizeof *m->out_count,
                              .out = m->out_count,
                              .out_first = m->one_each,
                              .in = m->in_count,
                              .in_first = m->one_each};
  const int64_t own = x->rank * per_rank;
  memcpy(m->in_count + own, m->out_count + own, (size_t)per_rank * sizeof *m->in_count);
  RF_TRY(rf_all_to_all_run(x->mesh, RF_SCOPE_SEQUENCE, &move));
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
  rf_exchange_record_set_position(record, x->home.first + token, mask && !mask[token]);
  for (int64_t r = 0; r < s->rounds; r++)
    rf_exchange_record_set_place(record, r, m->places[(pair * s->rounds + r) * x->home.count + token]);
  for (int64_t r = 0; s->rounds_travel && r < s->rounds; r++) {
    const uint32_t bucket = rf_bucket_at(&m->table, pair, r * x->home.count + token);
    rf_exchange_record_set_bucket(record, s->rounds, m->tokens->bucket_bytes, r, bucket);
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
  int64_t *out_first = m->out_first, *in_first = m->in_first;
  out_first[0] = 0;
  for (int r = 0; r <= x->ranks; r++) {
    const int64_t k = (int64_t)r * KINDS * x->shape.pairs, next = k + KINDS * x->shape.pairs;
    in_first[r] = x->in_first[k];
    if (r < x->ranks) out_first[r + 1] = out_first[r] + (r == x->rank ? 0 : x->out_first[next] - x->out_first[k]);
  }
  RF_TRY(take_records(m, out_first[x->ranks], in_first[x->ranks]));
  for (int r = 0; r < x->ranks; r++)
    write_records(m, r, r == x->rank ? m->in + in_first[r] * m->record : m->out + out_first[r] * m->record);
  const rf_all_to_all move = {.what = "the plan of an exchange",
                              .purpose = RF_TRAFFIC_PLAN,
                              .unit = m->record,
                              .out = m->out,
                              .out_first = out_first,
                              .in = m->in,
                              .in_first = in_first};
  return rf_all_to_all_run(x->mesh, RF_SCOPE_SEQUENCE, &move);
}

static rf_status take_pairs(making *m) {
  for (int64_t p = 0; p < m->x->shape.pairs; p++) {
    rf_exchange_pair *pair = &m->x->pair[p];
    RF_TRY(take_pair(m, p, pair->n_rows, pair));
  }
  return RF_OK;
}

static void find_seen(const making *m) {
  const rf_exchange *x = m->x;
  const rf_owners *o = &x->owners;
  for (int64_t p = 0; p < x->shape.pairs; p++) {
    int64_t at = 0;
    for (int64_t r = 0; r < o->rounds; r++) {
      const rf_span own = rf_owners_stretch(o, x->rank, p, r);
      const int64_t count = rf_stretch_seen(o, own);
      m->seen[p * o->rounds + r] = (seen_stretch){rf_owners_in_ring(o, r, own.first) - o->before, count, at};
      at += count;
    }
  }
}

/* Notes a row wherever its slot is seen: as its own chunk's, or near it; in a short ring more than once. */
static void note_row(const making *m, int64_t pair, int64_t row, int64_t in_ring, int64_t in_chunk) {
  const rf_exchange_shape *s = &m->x->shape;
  const int64_t chunks = rf_owners_chunks(&m->x->owners);
  int32_t *row_of_slot = m->x->pair[pair].row_of_slot;
  for (int64_t r = 0; r < s->rounds; r++) {
    const seen_stretch *seen = &m->seen[pair * s->rounds + r];
    int64_t at = in_ring - seen->first;
    while (at >= chunks) at -= chunks; /* first may be below 0 */
    while (at < 0) at += chunks;
    for (; at < seen->count; at += chunks) row_of_slot[(seen->at + at) * s->chunk + in_chunk] = (int32_t)row;
  }
}

static void read_record(const making *m, const unsigned char *record, int64_t row, int64_t index) {
  const rf_exchange_shape *s = &m->x->shape;
  rf_exchange_pair *pair = &m->x->pair[index];
  bool padding;
  pair->position[row] = rf_exchange_record_position(record, &padding);
  pair->mask[row] = !padding;
  for (int64_t r = 0; r < s->rounds; r++) {
    const int32_t place = rf_exchange_record_place(record, r);
    const int64_t chunk = rf_owners_in_ring(&m->x->owners, r, place / (int32_t)s->chunk);
    note_row(m, index, row, chunk, place % (int32_t)s->chunk);
    if (!s->rounds_travel) continue;
    const uint32_t bucket = rf_exchange_record_bucket(record, s->rounds, m->tokens->bucket_bytes, r);
    pair->chunk_in_round[r * pair->n_rows + row] = (int32_t)chunk;
    pair->bucket_in_round[r * pair->n_rows + row] = (int32_t)(r * s->n_buckets + bucket);
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
          read_record(m, m->in + (x->in_first[k] + i) * m->record, x->in_row[k] + i, p);
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
  RF_TRY(take_kept(m, (size_t)(x->shape.pairs * tokens), sizeof *x->out_token, &x->out_token));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < x->shape.pairs * tokens; i++) x->out_token[i] = (int32_t)(i % tokens);
  return RF_OK;
}

static void place_own_rows(making *m) {
  rf_exchange *x = m->x;
  const rf_exchange_shape *s = &x->shape;
  const int64_t tokens = x->home.count;
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
        const int32_t chunk = (int32_t)rf_owners_in_ring(&x->owners, r, place / (int32_t)s->chunk);
        note_row(m, p, t, chunk, place % (int32_t)s->chunk);
        if (!s->rounds_travel) continue;
        pair->chunk_in_round[r * tokens + t] = chunk;
        pair->bucket_in_round[r * tokens + t] =
            (int32_t)(r * s->n_buckets + rf_bucket_at(&m->table, p, r * tokens + t));
      }
  }
}

static rf_status make_plan(making *m) {
  rf_exchange *x = m->x;
  RF_TRY(take_lists(m));
  RF_TRY(take_destinations(m));
  find_seen(m);
  RF_TRY(rf_histogram_find_places(x->mesh, &m->table, x->shape.histogram, m->scratch, m->places));
  if (x->ranks == 1) {
    RF_TRY(list_own_rows(m));
    RF_TRY(take_pairs(m));
    place_own_rows(m);
    return RF_OK;
  }
  RF_TRY(take_cuts(m));
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
  assert(shape->together > 0 && shape->pairs % shape->together == 0);
  assert(shape->part >= 0 && shape->part < shape->parts && (shape->parts == 1 || rf_mesh_sequence_size(mesh) > 1));
  assert(shape->rounds * shape->n_buckets < INT32_MAX);
  assert(shape->rounds * (shape->tokens / shape->chunk) <= INT32_MAX);
  assert(tokens->bucket_bytes == 2 || tokens->bucket_bytes == 4);
  rf_exchange *x;
  RF_TRY(rf_arena_take(arena, 1, sizeof *x, &x));
  *x = exchange_at(shape, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  x->mesh = mesh;
  making m = {.x = x,
              .tokens = tokens,
              .arena = arena,
              .scratch = scratch,
              .record = rf_exchange_record_bytes(shape, tokens->bucket_bytes)};
  m.table = (rf_bucket_table){.pairs = shape->pairs,
                              .rounds = shape->rounds,
                              .length = shape->tokens,
                              .tokens = x->home.count,
                              .n_buckets = shape->n_buckets,
                              .bytes = tokens->bucket_bytes,
                              .buckets = tokens->buckets};
  const rf_mark mark = rf_arena_mark(scratch);
  RF_TRY(make_plan(&m));
  rf_arena_release(scratch, mark);
  assert(rf_exchange_is_valid(x));
  *exchange = x;
  return RF_OK;
}

rf_status rf_exchange_footprint(const rf_exchange_shape *shape, int ranks, int rank, int bucket_bytes,
                                const rf_exchange_expectation *expected, rf_arena *arena, rf_arena *scratch) {
  rf_exchange x = exchange_at(shape, ranks, rank);
  rf_exchange_pair pair;
  making m = {.x = &x, .arena = arena, .scratch = scratch, .record = rf_exchange_record_bytes(shape, bucket_bytes)};
  const rf_histogram_shape histogram = {shape->histogram, shape->pairs * shape->rounds, shape->n_buckets, shape->tokens,
                                        ranks};
  const double at_home = expected->own_home + expected->halo_home;
  const double out = rf_expected_out(expected), in = rf_expected_rows(expected);
  const rf_mark mark = rf_arena_mark(scratch);
  void *nothing;
  RF_TRY(rf_arena_take(arena, 1, sizeof x, &nothing));
  RF_TRY(take_lists(&m));
  RF_TRY(take_destinations(&m));
  RF_TRY(rf_histogram_footprint(&histogram, rank, expected->entries, scratch));
  RF_TRY(take_kept(&m, (size_t)llround(out), sizeof *x.out_token, &x.out_token));
  if (ranks > 1) RF_TRY(take_cuts(&m));
  if (ranks > 1) RF_TRY(take_records(&m, llround(out - at_home), llround(in)));
  for (int64_t p = 0; p < shape->pairs; p++)
    RF_TRY(take_pair(&m, p, llround(in * rf_owners_share(&x.owners, rank, p, shape->pairs)), &pair));
  rf_arena_release(scratch, mark);
  return RF_OK;
}

/* Of the slots that a stretch of a round sees, in front of the others. */
static bool slots_are_valid(const rf_exchange *x, rf_span own, const int32_t *row_of_slot, int64_t n_own,
                            int64_t n_rows) {
  const int64_t chunk = x->shape.chunk;
  for (int64_t i = 0; i < rf_stretch_seen(&x->owners, own) * chunk; i++) {
    const int64_t at = i / chunk - x->shape.chunks_before;
    if (row_of_slot[i] < 0 || row_of_slot[i] >= (at >= 0 && at < own.count ? n_own : n_rows)) return false;
  }
  return true;
}

static bool pair_is_valid(const rf_exchange *x, int64_t index) {
  const rf_exchange_pair *pair = &x->pair[index];
  const int32_t *row_of_slot = pair->row_of_slot;
  if (pair->n_own < 0 || pair->n_rows < pair->n_own) return false;
  for (int64_t i = 0; i < pair->n_rows; i++) {
    if (pair->position[i] < 0 || pair->position[i] >= x->shape.tokens) return false;
    if (i > 0 && i != pair->n_own && pair->position[i] <= pair->position[i - 1]) return false;
  }
  for (int64_t r = 0; r < x->shape.rounds; r++) {
    const rf_span own = rf_owners_stretch(&x->owners, x->rank, index, r);
    if (!slots_are_valid(x, own, row_of_slot, pair->n_own, pair->n_rows)) return false;
    row_of_slot += rf_stretch_seen(&x->owners, own) * x->shape.chunk;
  }
  return true;
}

bool rf_exchange_is_valid(const rf_exchange *x) {
  for (int64_t k = 0; k < x->n_lists; k++)
    if (x->out_first[k] > x->out_first[k + 1] || x->in_first[k] > x->in_first[k + 1]) return false;
  for (int64_t p = 0; p < x->shape.pairs; p++)
    if (!pair_is_valid(x, p)) return false;
  return true;
}

size_t rf_exchange_memory_used(const rf_exchange *x) { return x->memory; }
const rf_exchange_pair *rf_exchange_pair_of(const rf_exchange *x, int64_t pair) { return &x->pair[pair]; }
int64_t rf_exchange_rows(const rf_exchange *x) { return x->in_first[x->n_lists]; }
rf_exchange_counts rf_exchange_count(const rf_exchange *x) { return x->counts; }
