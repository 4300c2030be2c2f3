#include "comm/expect.h"
#include "base/integers.h"
#include "comm/exchange_record.h"
#include "comm/histogram.h"
#include <math.h>

/* Beyond so many ranks a sample of them stands for all homes of rows, and for all partners of one: they are nearly
 * alike. The step from one partner to the next is odd, as buckets begin at even ones. */
enum { MOST_HOMES = 64, MOST_PARTNERS = 1 << 15 };

/* A stretch of the row of all slots: chunks [first, end). */
typedef struct stretch {
  int64_t first, end;
} stretch;

typedef struct geometry {
  const rf_exchange_shape *shape;
  int ranks;
  int64_t per_round, chunks;
  double buckets; /* that can be met: without that of padding, but at least one */
} geometry;

static geometry geometry_of(const rf_exchange_shape *shape, int ranks) {
  const int64_t per_round = shape->tokens / shape->chunk;
  return (geometry){shape, ranks, per_round, shape->rounds * per_round, fmax(1, (double)shape->n_buckets - 1)};
}

/* Of a round cut to [0, 1): the part below y that tokens of positions [low, high) can take. Buckets of equal size lie
 * one behind the other, each in the order of positions. */
static double part_below(const geometry *g, double y, double low, double high) {
  const double buckets = y * g->buckets, whole = floor(buckets + 1e-12), in = buckets - whole;
  return (whole * (high - low) + fmin(fmax(in - low, 0), high - low)) / g->buckets;
}

/* Probability that a token of positions [low, high) has its slot of `round` in a stretch of chunks. */
static double chance(const geometry *g, stretch s, int64_t round, double low, double high) {
  const int64_t first = rf_max(s.first, round * g->per_round), end = rf_min(s.end, (round + 1) * g->per_round);
  if (end <= first || high <= low) return 0;
  const double from = (double)(first - round * g->per_round) / (double)g->per_round;
  const double to = (double)(end - round * g->per_round) / (double)g->per_round;
  return (part_below(g, to, low, high) - part_below(g, from, low, high)) / (high - low);
}

/* The halo of an owner as up to two stretches in the ring of chunks, without its own. */
static int halo_of(const geometry *g, stretch own, stretch halo[4]) {
  const int64_t others = g->chunks - (own.end - own.first);
  const int64_t before = rf_min(g->shape->chunks_before, others);
  const int64_t after = rf_min(g->shape->chunks_after, others - before);
  int n = 0;
  if (own.end <= own.first) return 0;
  halo[n++] = (stretch){rf_max(0, own.first - before), own.first};
  if (own.first < before) halo[n++] = (stretch){g->chunks + own.first - before, g->chunks};
  halo[n++] = (stretch){own.end, rf_min(g->chunks, own.end + after)};
  if (own.end + after > g->chunks) halo[n++] = (stretch){0, own.end + after - g->chunks};
  return n;
}

/* Tokens of rank `home` that have a slot at `owner`, and those that it needs for its halo only. */
static void rows_between(const geometry *g, int home, int owner, double *own_rows, double *halo_rows) {
  const rf_span tokens = rf_span_of(g->shape->tokens, g->ranks, home), owned = rf_span_of(g->chunks, g->ranks, owner);
  const stretch own = {owned.first, owned.first + owned.count};
  const double low = (double)tokens.first / (double)g->shape->tokens;
  const double high = (double)(tokens.first + tokens.count) / (double)g->shape->tokens;
  stretch halo[4];
  const int n = halo_of(g, own, halo);
  double not_own = 1, not_needed = 1;
  for (int64_t r = 0; r < g->shape->rounds; r++) {
    const double in_own = chance(g, own, r, low, high);
    double needed = in_own;
    for (int i = 0; i < n; i++) needed += chance(g, halo[i], r, low, high);
    not_own *= 1 - in_own;
    not_needed *= 1 - fmin(1, needed);
  }
  *own_rows = (double)tokens.count * (1 - not_own);
  *halo_rows = (double)tokens.count * (not_own - not_needed);
}

/* Buckets of a round that a rank has items of. */
static double buckets_met(const rf_exchange_shape *s, int ranks) {
  const double buckets = fmax(1, (double)s->n_buckets - 1), tokens = (double)s->tokens / ranks;
  return buckets * -expm1(tokens * log1p(-1 / fmax(2, buckets)));
}

/* What depends on the ranks and on the buckets that each meets in a round: the histogram, and the bytes of the plan. */
static void add_metadata(const rf_exchange_shape *s, int ranks, int bucket_bytes, double met,
                         rf_exchange_expectation *e) {
  const int64_t rows = s->pairs * s->rounds;
  e->entries = (double)rows * met;
  if (ranks == 1) return;
  const double sparse = RF_SPARSE_ENTRY_BYTES * (double)rows * met * (ranks - 1);
  const rf_histogram_shape histogram = {s->histogram, rows, s->n_buckets, s->tokens, ranks};
  e->all_histogram = rf_histogram_bytes(&histogram, sparse);
  e->all_plan = rf_plan_bytes(s, bucket_bytes, ranks, e->all_own + e->all_halo);
}

/* Adds what rank `rank`, as a home of rows and as an owner of slots, sends to and receives from the others. */
static void add_partners(const geometry *g, int rank, rf_exchange_expectation *e) {
  const int step = (int)rf_ceil_div(g->ranks, MOST_PARTNERS) | 1;
  rf_exchange_expectation sum = {0};
  double own, halo;
  int partners = 0;
  for (int other = 0; other < g->ranks; other += step) {
    if (other == rank) continue;
    partners++;
    rows_between(g, rank, other, &own, &halo);
    sum.own_sent += own;
    sum.halo_sent += halo;
    rows_between(g, other, rank, &own, &halo);
    sum.own_received += own;
    sum.halo_received += halo;
  }
  const double share = partners > 0 ? (double)(g->ranks - 1) / partners : 0;
  e->own_sent += share * sum.own_sent;
  e->halo_sent += share * sum.halo_sent;
  e->own_received += share * sum.own_received;
  e->halo_received += share * sum.halo_received;
}

/* Adds the rows of one home's tokens that go to others, times `share`. */
static void add_home(const geometry *g, int home, double share, rf_exchange_expectation *e) {
  const int step = (int)rf_ceil_div(g->ranks, MOST_PARTNERS) | 1;
  double own, halo, all_own = 0, all_halo = 0;
  int partners = 0;
  for (int owner = 0; owner < g->ranks; owner += step) {
    if (owner == home) continue;
    partners++;
    rows_between(g, home, owner, &own, &halo);
    all_own += own;
    all_halo += halo;
  }
  if (partners > 0) share *= (double)(g->ranks - 1) / partners;
  e->all_own += all_own * share;
  e->all_halo += all_halo * share;
}

rf_exchange_expectation rf_exchange_expect(const rf_exchange_shape *shape, int ranks, int rank, int bucket_bytes) {
  const geometry g = geometry_of(shape, ranks);
  rf_exchange_expectation e = {0};
  const int step = (int)rf_ceil_div(ranks, MOST_HOMES);
  const double share = (double)ranks / (double)rf_ceil_div(ranks, step);
  rows_between(&g, rank, rank, &e.own_home, &e.halo_home);
  add_partners(&g, rank, &e);
  for (int home = 0; home < ranks; home += step) add_home(&g, home, share, &e);
  add_metadata(shape, ranks, bucket_bytes, buckets_met(shape, ranks), &e);
  return e;
}

rf_exchange_expectation rf_exchange_expect_zigzag(const rf_exchange_shape *shape, int ranks, int rank) {
  rf_exchange_expectation e = {0};
  for (int piece = 0; piece < 2 * ranks; piece++) {
    const int owner = piece < ranks ? piece : 2 * ranks - 1 - piece, home = piece / 2;
    const double tokens = (double)rf_span_of(shape->tokens, 2 * ranks, piece).count;
    if (owner != home) e.all_own += tokens;
    if (owner == rank && home == rank) e.own_home += tokens;
    if (owner == rank && home != rank) e.own_received += tokens;
    if (owner != rank && home == rank) e.own_sent += tokens;
  }
  add_metadata(shape, ranks, sizeof(uint16_t), 2, &e); /* two pieces a rank */
  return e;
}
