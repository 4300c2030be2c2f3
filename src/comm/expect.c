#include "comm/expect.h"
#include "base/integers.h"
#include "comm/exchange_plan.h"
#include "kernel/parallel.h"
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

/* 12 bytes for each entry that a rank has items of and does not own itself, when sparse. */
static double histogram_bytes(const rf_exchange_shape *s, int ranks) {
  const double others = ranks - 1, entries = (double)(s->pairs * s->rounds * s->n_buckets);
  const double totals = 8.0 * ranks * others;
  if (rf_histogram_is_dense(s->histogram, s->n_buckets, s->tokens, ranks)) return totals + 8 * entries * others;
  const double buckets = fmax(1, (double)s->n_buckets - 1), tokens = (double)s->tokens / ranks;
  const double some = buckets * -expm1(tokens * log1p(-1 / fmax(2, buckets)));
  return 2 * totals + 12 * (double)(s->pairs * s->rounds) * some * others;
}

static int64_t record_bytes(const rf_exchange_shape *s, int bucket_bytes) {
  return 4 + 4 * s->rounds + (s->rounds_travel ? rf_ceil_div(s->rounds * bucket_bytes, 4) * 4 : 0);
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
  if (ranks == 1) return e;
  e.all_histogram = histogram_bytes(shape, ranks);
  e.all_plan = 8.0 * (double)shape->pairs * ranks * (ranks - 1) +
               (double)(record_bytes(shape, bucket_bytes) * shape->pairs) * (e.all_own + e.all_halo);
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
  if (ranks == 1) return e;
  e.all_histogram = histogram_bytes(shape, ranks);
  if (!rf_histogram_is_dense(shape->histogram, shape->n_buckets, shape->tokens, ranks)) /* two pieces a rank */
    e.all_histogram = 16.0 * ranks * (ranks - 1) + 12.0 * (double)shape->pairs * 2 * (ranks - 1);
  e.all_plan =
      8.0 * (double)shape->pairs * ranks * (ranks - 1) + (double)(record_bytes(shape, 2) * shape->pairs) * e.all_own;
  return e;
}

static rf_status count(rf_arena *arena, double n, size_t size) {
  void *nothing;
  return rf_arena_take(arena, (size_t)llround(n), size, &nothing);
}

static rf_status measure_histogram(const rf_exchange_shape *s, int ranks, int rank, rf_arena *scratch) {
  const int64_t entries = s->pairs * s->rounds * s->n_buckets, mine = rf_span_of(entries, ranks, rank).count;
  if (rf_histogram_is_dense(s->histogram, s->n_buckets, s->tokens, ranks)) {
    RF_TRY(count(scratch, (double)entries, 4));
    RF_TRY(count(scratch, (double)(mine * ranks), 4));
    return count(scratch, 3.0 * (ranks + 1), 8);
  }
  const double buckets = fmax(1, (double)s->n_buckets - 1), tokens = (double)s->tokens / ranks;
  const double n = (double)(s->pairs * s->rounds) * buckets * -expm1(tokens * log1p(-1 / fmax(2, buckets)));
  RF_TRY(count(scratch, (double)(rf_threads() * s->n_buckets), 4));
  RF_TRY(count(scratch, n, 4 + 8 + 4)); /* own entries */
  RF_TRY(count(scratch, n, 8 + 4));     /* those asked about here: as many, evenly */
  return count(scratch, (double)mine, 4);
}

rf_status rf_exchange_measure(const rf_exchange_shape *s, int ranks, int rank, int bucket_bytes,
                              const rf_exchange_expectation *e, rf_arena *arena, rf_arena *scratch) {
  const double pairs = (double)s->pairs, lists = 2.0 * ranks * pairs, rows = rf_expected_rows(e);
  const double out = rf_expected_out(e) * pairs, in = rows * pairs;
  const rf_span owned = rf_span_of(s->rounds * (s->tokens / s->chunk), ranks, rank);
  const rf_span home = rf_span_of(s->tokens, ranks, rank);
  const int64_t seen = owned.count > 0 ? s->chunks_before + owned.count + s->chunks_after : 0;
  const rf_mark mark = rf_arena_mark(scratch);
  RF_TRY(count(arena, 1, sizeof(rf_exchange)));
  RF_TRY(count(arena, 3 * lists + 2, 8));
  RF_TRY(count(arena, pairs, sizeof(rf_exchange_pair)));
  RF_TRY(count(scratch, 2 * lists, 4));
  RF_TRY(count(scratch, pairs * (double)(s->rounds * home.count), 4)); /* places */
  RF_TRY(count(scratch, (double)ranks * (1 + rf_threads() * 3), 8));   /* route and needers */
  const rf_mark sorted = rf_arena_mark(scratch);
  RF_TRY(measure_histogram(s, ranks, rank, scratch));
  rf_arena_release(scratch, sorted);
  RF_TRY(count(arena, out, 4));
  if (ranks > 1) {
    const double record = (double)record_bytes(s, bucket_bytes);
    RF_TRY(count(scratch, lists + 3 * (ranks + 1), 8));
    RF_TRY(count(scratch, (out - (e->own_home + e->halo_home) * pairs) * record, 1));
    RF_TRY(count(scratch, in * record, 1));
  }
  for (int64_t p = 0; p < s->pairs; p++) {
    RF_TRY(count(arena, rows, 4));
    RF_TRY(count(arena, rows, 1));
    RF_TRY(count(arena, (double)(seen * s->chunk), 4));
    if (!s->rounds_travel) continue;
    RF_TRY(count(arena, rows * (double)s->rounds, 4));
    RF_TRY(count(arena, rows * (double)s->rounds, 4));
  }
  rf_arena_release(scratch, mark);
  return RF_OK;
}

rf_status rf_exchange_measure_move(const rf_exchange_shape *s, int ranks, rf_exchange_rows_kind kind, bool gather,
                                   int n_fields, const int64_t *widths, const rf_exchange_expectation *e,
                                   rf_arena *arena) {
  int64_t bytes = 0, widest = 0;
  for (int f = 0; f < n_fields; f++) {
    bytes += rf_wire_bytes(s->wire, widths[f]);
    widest = rf_max(widest, widths[f]);
  }
  const double sent = e->own_sent + (kind == RF_ROWS_ALL ? e->halo_sent : 0);
  const double received = e->own_received + (kind == RF_ROWS_ALL ? e->halo_received : 0);
  RF_TRY(count(arena, 2.0 * (ranks + 1) + 64, 8)); /* the move itself */
  RF_TRY(count(arena, (gather ? received : sent) * (double)(s->pairs * bytes), 1));
  RF_TRY(count(arena, (gather ? sent : received) * (double)(s->pairs * bytes), 1));
  return count(arena, (double)(rf_threads() * widest), sizeof(real));
}
