#include "comm/simulate.h"
#include "comm/destinations.h"
#include "comm/exchange_record.h"
#include "comm/histogram.h"
#include <assert.h>
#include <string.h>

typedef struct simulation {
  const rf_exchange_shape *shape;
  int ranks;
  rf_owners owners;
  rf_bucket_table table;
  int64_t *chunk;                                  /* [tokens, rounds] of one pair, each within its round */
  int64_t *sent, *received, *halo_received, *rows; /* [ranks] */
} simulation;

/* The order of the whole sequence, by counting. next: [n_buckets] scratch. */
static void sort_round(const simulation *s, int64_t pair, int64_t round, int64_t *next) {
  const int64_t tokens = s->shape->tokens, n_buckets = s->shape->n_buckets;
  memset(next, 0, (size_t)n_buckets * sizeof *next);
  for (int64_t t = 0; t < tokens; t++) next[rf_bucket_at(&s->table, pair, round * tokens + t)]++;
  int64_t slot = 0;
  for (int64_t b = 0; b < n_buckets; b++) {
    const int64_t count = next[b];
    next[b] = slot;
    slot += count;
  }
  for (int64_t t = 0; t < tokens; t++) {
    const uint32_t bucket = rf_bucket_at(&s->table, pair, round * tokens + t);
    s->chunk[t * s->shape->rounds + round] = next[bucket]++ / s->shape->chunk;
  }
}

static void send_token(simulation *s, int64_t pair, int64_t token, rf_destinations *destinations,
                       rf_exchange_simulation *result) {
  const int home = (int)rf_span_owner(s->shape->tokens, s->ranks, token);
  rf_destinations_find(&s->owners, pair, s->chunk + token * s->shape->rounds, destinations);
  int64_t travel = 0;
  for (int i = 0; i < destinations->n; i++) {
    const int rank = destinations->rank[i];
    s->rows[rank]++;
    if (rank == home) continue;
    if (i < destinations->n_owners) {
      travel++;
      s->received[rank]++;
    } else {
      result->halo_rows++;
      s->halo_received[rank]++;
    }
  }
  result->rows += travel;
  s->sent[home] += travel;
  if (travel > result->most_rows_of_token) result->most_rows_of_token = travel;
}

static int64_t largest(const int64_t *x, int n) {
  int64_t most = 0;
  for (int i = 0; i < n; i++) most = x[i] > most ? x[i] : most;
  return most;
}

/* Entries that a rank has items of and does not own itself, of all ranks. */
static int64_t count_sparse_entries(const simulation *s, int64_t *last_seen) {
  const int64_t tokens = s->shape->tokens, n_buckets = s->shape->n_buckets, rounds = s->shape->rounds;
  const int64_t rows = s->shape->pairs * rounds;
  int64_t entries = 0;
  for (int64_t row = 0; row < rows; row++)
    for (int r = 0; r < s->ranks; r++) {
      const rf_span home = rf_span_of(tokens, s->ranks, r);
      const int64_t pair = row / rounds, round = row % rounds, visit = row * s->ranks + r + 1;
      for (int64_t t = home.first; t < home.first + home.count; t++) {
        const uint32_t bucket = rf_bucket_at(&s->table, pair, round * tokens + t);
        if (last_seen[bucket] == visit) continue;
        last_seen[bucket] = visit;
        entries += rf_span_owner(rows * n_buckets, s->ranks, row * n_buckets + bucket) != r;
      }
    }
  return entries;
}

static void count_metadata(const simulation *s, int64_t *last_seen, rf_exchange_simulation *result) {
  const rf_exchange_shape *shape = s->shape;
  const rf_histogram_shape histogram = {shape->histogram, shape->pairs * shape->rounds, shape->n_buckets, shape->tokens,
                                        s->ranks};
  const int64_t entries = rf_histogram_is_dense(&histogram) ? 0 : count_sparse_entries(s, last_seen);
  result->histogram_bytes = (int64_t)rf_histogram_bytes(&histogram, (double)(RF_SPARSE_ENTRY_BYTES * entries));
  result->plan_bytes =
      (int64_t)rf_exchange_plan_bytes(shape, s->table.bytes, s->ranks, (double)(result->rows + result->halo_rows));
}

rf_status rf_exchange_simulate(const rf_exchange_shape *shape, int ranks, int bucket_bytes, const void *const *buckets,
                               rf_arena *scratch, rf_exchange_simulation *result) {
  assert(ranks > 0 && shape->tokens % shape->chunk == 0);
  simulation s = {.shape = shape, .ranks = ranks, .owners = rf_owners_of(shape, ranks)};
  s.table = (rf_bucket_table){shape->pairs,     shape->rounds, shape->tokens, shape->tokens,
                              shape->n_buckets, bucket_bytes,  buckets};
  *result = (rf_exchange_simulation){0};
  const rf_mark mark = rf_arena_mark(scratch);
  rf_destinations destinations;
  int64_t *by_bucket;
  int64_t **per_rank[] = {&s.sent, &s.received, &s.halo_received, &s.rows};
  RF_TRY(rf_destinations_create(ranks, scratch, &destinations));
  RF_TRY(rf_arena_take(scratch, (size_t)(shape->tokens * shape->rounds), sizeof *s.chunk, &s.chunk));
  RF_TRY(rf_arena_take_zero(scratch, (size_t)shape->n_buckets, sizeof *by_bucket, &by_bucket));
  for (size_t i = 0; i < sizeof per_rank / sizeof *per_rank; i++)
    RF_TRY(rf_arena_take_zero(scratch, (size_t)ranks, sizeof **per_rank[i], per_rank[i]));
  for (int64_t p = 0; p < shape->pairs; p++) {
    for (int64_t r = 0; r < shape->rounds; r++) sort_round(&s, p, r, by_bucket);
    for (int64_t t = 0; t < shape->tokens; t++) send_token(&s, p, t, &destinations, result);
  }
  result->rows_per_token = (double)result->rows / (double)(shape->pairs * shape->tokens);
  result->most_sent = largest(s.sent, ranks);
  result->most_received = largest(s.received, ranks);
  result->most_halo_received = largest(s.halo_received, ranks);
  result->most_rows = largest(s.rows, ranks);
  memset(by_bucket, 0, (size_t)shape->n_buckets * sizeof *by_bucket);
  count_metadata(&s, by_bucket, result);
  rf_arena_release(scratch, mark);
  return RF_OK;
}
