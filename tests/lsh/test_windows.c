/* Attention over windows of slots against the naive loop, forward and reverse, with every rule. */
#include "lsh/window_attention.h"
#include "naive/attention.h"
#include "naive/slots.h"

/* Sums of about a hundred products, each rounded, logits up to about 5 that exp magnifies as much again. */
#define TOLERANCE (300 * (double)RF_REAL_EPSILON)

enum { PAIRS = 2, D_HEAD = 6, LD = 9 };

typedef struct problem {
  rf_windows w;
  rf_pair pairs[PAIRS];
  real *q, *k, *v, *d_o, *o, *dq, *dk, *dv; /* [PAIRS, tokens, LD] */
  real *key_scale, *m, *z, *delta;          /* [PAIRS, tokens] */
  int32_t *slots, *chunk, *bucket;          /* [PAIRS, slots seen], [PAIRS, rounds, tokens] */
  uint16_t *ids;
  uint8_t *mask;
  real *log_count;
} problem;

/* What a test chooses. */
typedef struct choice {
  int64_t tokens, chunk, rounds, before, after, n_buckets;
  bool causal, padding, mask_queries, sorted, same_bucket, self_rule;
  rf_duplicates duplicates;
  double dropout;
} choice;

static rf_owners owners_of(const choice *c) {
  return (rf_owners){.ranks = 1,
                     .together = 1,
                     .parts = 1,
                     .rounds = c->rounds,
                     .per_round = c->tokens / c->chunk,
                     .before = c->before,
                     .after = c->after};
}

static int64_t slots_seen(const choice *c) {
  const rf_owners owners = owners_of(c);
  return naive_seen(&owners, c->chunk);
}

static void take(problem *p, dice *d, const choice *c) {
  const int64_t rows = PAIRS * c->tokens, items = rows * c->rounds;
  real **big[] = {&p->q, &p->k, &p->v, &p->d_o, &p->o, &p->dq, &p->dk, &p->dv};
  for (size_t i = 0; i < sizeof big / sizeof *big; i++)
    *big[i] = i < 4 ? dice_reals(d, rows * LD, 1) : NEW(real, rows * LD);
  real **small[] = {&p->key_scale, &p->m, &p->z, &p->delta};
  for (size_t i = 0; i < sizeof small / sizeof *small; i++) *small[i] = NEW(real, rows);
  int32_t **tables[] = {&p->slots, &p->chunk, &p->bucket};
  for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
    *tables[i] = NEW(int32_t, i == 0 ? PAIRS * slots_seen(c) : items);
  p->ids = NEW(uint16_t, items);
  p->mask = NEW(uint8_t, rows);
  for (int64_t i = 0; i < rows; i++) {
    p->key_scale[i] = (real)(0.5 + dice_uniform(d));
    p->mask[i] = (uint8_t)(i < c->tokens ? i % 7 != 3 : i - c->tokens < c->tokens / 3);
  }
  const int64_t most = c->rounds * c->rounds * (c->before + 1 + c->after);
  p->log_count = NEW(real, most + 1);
  rf_attend_log_counts(c->duplicates, most, p->log_count);
}

/* Skewed buckets: low ids are much more frequent, and some stay empty. */
static void sort_pair(problem *p, dice *d, const choice *c, int64_t pair) {
  const int64_t first = pair * c->rounds * c->tokens, slots = slots_seen(c);
  for (int64_t i = 0; i < c->rounds * c->tokens; i++) {
    const double u = dice_uniform(d);
    p->ids[first + i] = (uint16_t)((double)c->n_buckets * u * u);
  }
  naive_place(&p->w, c->n_buckets, c->sorted ? p->ids + first : NULL, p->slots + pair * slots, p->chunk + first,
              p->bucket + first);
}

static void create(problem *p, dice *d, const choice *c) {
  take(p, d, c);
  p->w = (rf_windows){.tokens = c->tokens,
                      .d_head = D_HEAD,
                      .ld = LD,
                      .chunk = c->chunk,
                      .owners = owners_of(c),
                      .causal = c->causal,
                      .mask_padding_queries = c->mask_queries,
                      .key_scale = R_(0.7),
                      .rule = {.self_rule = c->self_rule,
                               .same_bucket = c->same_bucket,
                               .duplicates = c->duplicates,
                               .log_count = p->log_count,
                               .dropout = c->dropout,
                               .draw = {.seed = d->seed, .purpose = RF_RNG_DROP_ATTENTION, .step = 4, .layer = 2}},
                      .n_pairs = PAIRS,
                      .pairs = p->pairs};
  for (int64_t i = 0; i < PAIRS; i++) {
    const int64_t at = i * c->tokens * LD, small = i * c->tokens, items = i * c->rounds * c->tokens;
    sort_pair(p, d, c, i);
    p->pairs[i] = (rf_pair){.q = p->q + at,
                            .k = p->k + at,
                            .v = p->v + at,
                            .key_scale = c->self_rule ? p->key_scale + small : NULL,
                            .n_rows = c->tokens,
                            .row_of_slot = p->slots + i * slots_seen(c),
                            .chunk_in_round = p->chunk + items,
                            .bucket_in_round = p->bucket + items,
                            .mask = c->padding ? p->mask + small : NULL,
                            .head = (uint32_t)(3 + i),
                            .sequence = (uint32_t)(40 + i),
                            .o = p->o + at,
                            .m = p->m + small,
                            .z = p->z + small,
                            .d_o = p->d_o + at,
                            .delta = p->delta + small,
                            .dq = p->dq + at,
                            .dk = p->dk + at,
                            .dv = p->dv + at};
  }
}

static void destroy(problem *p) {
  void *all[] = {p->q,         p->k, p->v, p->d_o,   p->o,     p->dq,    p->dk,     p->dv,  p->log_count,
                 p->key_scale, p->m, p->z, p->delta, p->slots, p->chunk, p->bucket, p->ids, p->mask};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void normalise(const problem *p) {
  for (int64_t i = 0; i < PAIRS; i++)
    for (int64_t t = 0; t < p->w.tokens; t++) {
      const rf_pair *pair = &p->pairs[i];
      real delta = 0;
      for (int64_t j = 0; j < D_HEAD; j++) {
        pair->o[t * LD + j] /= pair->z[t];
        delta += pair->o[t * LD + j] * pair->d_o[t * LD + j];
      }
      p->delta[i * p->w.tokens + t] = delta;
    }
}

static void compare(const char *what, const char *part, uint64_t seed, int64_t tokens, const real *ours,
                    const double *naive) {
  real *packed = NEW(real, tokens * D_HEAD);
  for (int64_t i = 0; i < tokens * D_HEAD; i++) packed[i] = ours[i / D_HEAD * LD + i % D_HEAD];
  const double error = relative_error(tokens * D_HEAD, packed, naive);
  free(packed);
  if (!(error <= TOLERANCE))
    fail_msg("%s, %s (seed %llu): relative error %.3g, allowed %.3g", what, part, (unsigned long long)seed, error,
             TOLERANCE);
}

static void check(const char *what, const choice *c, uint64_t seed) {
  dice d = {.seed = seed};
  problem p;
  create(&p, &d, c);
  rf_arena *arena;
  assert_ok(rf_arena_create("windows under test", 0, &arena));
  assert_ok(rf_windows_attend(&p.w, arena));
  normalise(&p);
  assert_ok(rf_windows_attend_vjp(&p.w, arena));
  for (int64_t i = 0; i < PAIRS; i++) {
    naive_result naive = naive_attend(&p.w, &p.pairs[i]);
    const rf_pair *pair = &p.pairs[i];
    compare(what, "o", seed, c->tokens, pair->o, naive.o);
    const double m_error = relative_error(c->tokens, pair->m, naive.m);
    if (!(m_error <= TOLERANCE))
      fail_msg("%s, m (seed %llu): relative error %.3g", what, (unsigned long long)seed, m_error);
    compare(what, "dq", seed, c->tokens, pair->dq, naive.dq);
    compare(what, "dk", seed, c->tokens, pair->dk, naive.dk);
    compare(what, "dv", seed, c->tokens, pair->dv, naive.dv);
    naive_result_free(&naive);
  }
  rf_arena_destroy(arena);
  destroy(&p);
}

static choice lsh_choice(void) {
  return (choice){.tokens = 48,
                  .chunk = 8,
                  .rounds = 3,
                  .before = 1,
                  .n_buckets = 5,
                  .causal = true,
                  .sorted = true,
                  .self_rule = true};
}

static void test_windows_of_sorted_slots(void **state) {
  (void)state;
  for (int variant = 0; variant < 12; variant++) {
    choice c = lsh_choice();
    c.before = variant % 3;
    c.after = variant / 3 % 2;
    c.causal = variant / 6;
    check("sorted slots", &c, 71);
  }
}

static void test_windows_that_lap_the_ring(void **state) {
  (void)state;
  choice c = lsh_choice();
  c.tokens = 16;
  c.rounds = 1;
  c.before = 2;
  c.after = 1;
  check("lapped", &c, 72);
  c.duplicates = RF_DUPLICATES_DIVIDE;
  check("lapped, divided", &c, 72);
}

static void test_masks_of_padding(void **state) {
  (void)state;
  for (int variant = 0; variant < 8; variant++) {
    choice c = lsh_choice();
    c.padding = true;
    c.mask_queries = variant & 1;
    c.causal = variant & 2;
    c.same_bucket = variant & 4;
    check("padding", &c, 73);
  }
}

static void test_duplicates_against_counts_by_brute_force(void **state) {
  (void)state;
  for (int variant = 0; variant < 16; variant++) {
    choice c = lsh_choice();
    c.duplicates = variant & 1 ? RF_DUPLICATES_DIVIDE : RF_DUPLICATES_LUCIDRAINS;
    c.same_bucket = variant & 2;
    c.causal = variant & 4;
    c.after = variant & 8 ? 1 : 0;
    check("duplicates", &c, 74);
  }
}

static void test_dropout_of_probabilities(void **state) {
  (void)state;
  choice c = lsh_choice();
  c.dropout = 0.4;
  check("dropout", &c, 75);
  c.duplicates = RF_DUPLICATES_DIVIDE;
  c.padding = true;
  check("dropout with duplicates and padding", &c, 76);
}

static void test_local_windows_in_token_order(void **state) {
  (void)state;
  for (int variant = 0; variant < 8; variant++) {
    choice c = {.tokens = 40, .chunk = 8, .rounds = 1, .n_buckets = 1};
    c.before = variant & 1 ? 1 : 2;
    c.causal = variant & 2;
    c.after = c.causal ? 0 : 1;
    c.padding = variant & 4;
    check("local", &c, 77);
  }
}

/* More chunks than a stripe holds, so that halos cross stripes, and a last stripe cut short. */
static void test_several_stripes_a_round(void **state) {
  (void)state;
  choice c = lsh_choice();
  c.tokens = 1088;
  c.chunk = 64;
  c.rounds = 2;
  c.n_buckets = 33;
  c.after = 1;
  c.padding = true;
  check("stripes", &c, 78);
  c.chunk = 544; /* longer than a stripe */
  c.rounds = 1;
  check("long chunks", &c, 79);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_windows_of_sorted_slots),  cmocka_unit_test(test_windows_that_lap_the_ring),
      cmocka_unit_test(test_masks_of_padding),         cmocka_unit_test(test_duplicates_against_counts_by_brute_force),
      cmocka_unit_test(test_dropout_of_probabilities), cmocka_unit_test(test_local_windows_in_token_order),
      cmocka_unit_test(test_several_stripes_a_round),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
