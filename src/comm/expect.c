#include "comm/expect.h"
#include "base/integers.h"
#include "comm/exchange_record.h"
#include "comm/histogram.h"
#include "reformer/rng.h"
#include <math.h>

/* Beyond so many ranks a sample of them stands for all homes of rows, and for all partners of one: they are nearly
 * alike. The step from one partner to the next is odd, as buckets and pairs begin at even ones. */
enum { MOST_HOMES = 64, MOST_PARTNERS = 1 << 15 };

/* Most chunks in a row that one stretch shows of a round, and the next ones' halo. */
enum { MOST_INTERVALS = 64 };

/* Chunks [first, end) of a round. */
typedef struct interval {
  int64_t first, end;
} interval;

typedef struct geometry {
  const rf_exchange_shape *shape;
  rf_owners owners;
  int ranks;
  double buckets; /* that can be met: without that of padding, but at least one */
} geometry;

static geometry geometry_of(const rf_exchange_shape *shape, int ranks) {
  return (geometry){shape, rf_owners_of(shape, ranks), ranks, fmax(1, (double)shape->n_buckets - 1)};
}

/* Of a round cut to [0, 1): the part below y that tokens of positions [low, high) can take. Buckets of equal size lie
 * one behind the other, each in the order of positions. */
static double part_below(const geometry *g, double y, double low, double high) {
  const double buckets = y * g->buckets, whole = floor(buckets + 1e-12), in = buckets - whole;
  return (whole * (high - low) + fmin(fmax(in - low, 0), high - low)) / g->buckets;
}

/* Probability that a token of positions [low, high) has its slot of a round in an interval. */
static double chance(const geometry *g, interval s, double low, double high) {
  if (s.end <= s.first || high <= low) return 0;
  const double from = (double)s.first / (double)g->owners.per_round, to = (double)s.end / (double)g->owners.per_round;
  return (part_below(g, to, low, high) - part_below(g, from, low, high)) / (high - low);
}

/* Adds an interval, cut to the round, to some that are sorted and apart. */
static int add_interval(const geometry *g, int64_t first, int64_t end, int n, interval *of) {
  interval added = {rf_max(0, first), rf_min(g->owners.per_round, end)};
  if (added.end <= added.first) return n;
  int kept = 0, at = 0;
  interval rest[MOST_INTERVALS];
  for (int i = 0; i < n; i++) {
    if (of[i].end < added.first || of[i].first > added.end) {
      rest[kept++] = of[i];
      continue;
    }
    added = (interval){rf_min(added.first, of[i].first), rf_max(added.end, of[i].end)};
  }
  while (at < kept && rest[at].first < added.first) at++;
  for (int i = 0; i < kept; i++) of[i < at ? i : i + 1] = rest[i];
  of[at] = added;
  return kept + 1;
}

/* What an owner's stretches of a pair see of a round, in their ring: their own chunks, and those of their halos. */
static int seen_of_round(const geometry *g, const rf_span *own, int64_t round, interval *seen) {
  const rf_owners *o = &g->owners;
  const int64_t reach = rf_min(o->rounds, rf_ceil_div(rf_max(o->before, o->after), o->per_round));
  int n = 0;
  for (int64_t d = -reach; d <= reach && n < MOST_INTERVALS; d++) {
    const rf_span *from = &own[((round + d) % o->rounds + o->rounds) % o->rounds];
    if (from->count == 0) continue;
    const int64_t first = d * o->per_round + from->first;
    n = add_interval(g, first - o->before, first + from->count + o->after, n, seen);
  }
  return n;
}

/* Tokens of rank `home`, of one pair, that have a slot at `owner`, and those that it needs for its halo only; added. */
static void add_rows_of_pair(const geometry *g, int home, int owner, int64_t pair, double *own_rows,
                             double *halo_rows) {
  const rf_span tokens = rf_span_of(g->shape->tokens, g->ranks, home);
  const double low = (double)tokens.first / (double)g->shape->tokens;
  const double high = (double)(tokens.first + tokens.count) / (double)g->shape->tokens;
  rf_span own[RF_RNG_MAX_ROUNDS];
  double not_own = 1, not_needed = 1;
  for (int64_t r = 0; r < g->owners.rounds; r++) own[r] = rf_owners_stretch(&g->owners, owner, pair, r);
  for (int64_t r = 0; r < g->owners.rounds; r++) {
    interval seen[MOST_INTERVALS];
    const int n = seen_of_round(g, own, r, seen);
    double needed = 0;
    for (int i = 0; i < n; i++) needed += chance(g, seen[i], low, high);
    not_own *= 1 - chance(g, (interval){own[r].first, own[r].first + own[r].count}, low, high);
    not_needed *= 1 - fmin(1, needed);
  }
  *own_rows += (double)tokens.count * (1 - not_own);
  *halo_rows += (double)tokens.count * (not_own - not_needed);
}

/* Of all pairs. */
static void rows_between(const geometry *g, int home, int owner, double *own_rows, double *halo_rows) {
  const rf_span owned = rf_owners_numbers(&g->owners, owner);
  const int64_t chunks = rf_owners_chunks(&g->owners);
  const double rows = (double)g->shape->pairs / (double)g->shape->together;
  *own_rows = *halo_rows = 0;
  if (owned.count == 0) return;
  for (int64_t pair = owned.first / chunks; pair <= (owned.first + owned.count - 1) / chunks; pair++)
    add_rows_of_pair(g, home, owner, pair, own_rows, halo_rows);
  *own_rows *= rows;
  *halo_rows *= rows;
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
  e->exchanges = RF_HISTOGRAM_EXCHANGES + RF_EXCHANGE_PLAN_EXCHANGES;
  e->all_plan = rf_exchange_plan_bytes(s, bucket_bytes, ranks, e->all_own + e->all_halo);
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
    const double tokens = (double)(shape->pairs * rf_span_of(shape->tokens, 2 * ranks, piece).count);
    if (owner != home) e.all_own += tokens;
    if (owner == rank && home == rank) e.own_home += tokens;
    if (owner == rank && home != rank) e.own_received += tokens;
    if (owner != rank && home == rank) e.own_sent += tokens;
  }
  add_metadata(shape, ranks, sizeof(uint16_t), 2, &e); /* two pieces a rank */
  return e;
}
