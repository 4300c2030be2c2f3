/* What a sublayer keeps of the forward pass changes no bit of the backward pass, and is not sent again. */
#include "comm/traffic.h"
#include "mpi/sharded_case.h"

enum { MOST_LEVELS = 3 };

/* A call of each direction at one level, and what it sent, summed over the ranks. */
typedef struct level_run {
  results r;
  int64_t forward[RF_TRAFFIC_PURPOSES], reverse[RF_TRAFFIC_PURPOSES];
} level_run;

static void read_traffic(rf_mesh *mesh, int64_t *bytes) {
  rf_traffic_read(mesh, bytes);
  rf_traffic_reset(mesh);
  assert_ok(rf_sum_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, RF_TRAFFIC_PURPOSES, bytes));
  rf_traffic_reset(mesh);
}

static level_run run_level(const sharded *s, int level) {
  const rf_sublayer *sublayer = &s->sublayer->sublayer;
  rf_call call = s->sublayer->call;
  uint8_t *mask = own_part(s, s->mask, 1, 1);
  real *x = own_part(s, s->x, 1, (size_t)s->d * sizeof(real)), *dy = own_part(s, s->dy, 1, (size_t)s->d * sizeof(real));
  call.mesh = s->mesh;
  call.tokens = s->own.count;
  call.first_token = s->own.first;
  call.level = level;
  if (call.mask) call.mask = mask;
  const size_t saved = sublayer->ops->saved_bytes(sublayer, &call);
  level_run run = {.r = results_take(call.sequences * call.tokens * s->d, s->sublayer->block.size, saved + 64)};
  void *at = (void *)(((uintptr_t)run.r.saved + 63) / 64 * 64);
  rf_traffic_reset(s->mesh);
  assert_ok(sublayer->ops->apply(sublayer, &call, s->sublayer->params, x, 1, run.r.y, at));
  read_traffic(s->mesh, run.forward);
  const rf_sublayer_vjp task = {s->sublayer->params, x, dy, run.r.vjp_y, run.r.dx, run.r.dparams, at};
  assert_ok(sublayer->ops->apply_vjp(sublayer, &call, &task));
  read_traffic(s->mesh, run.reverse);
  void *all[] = {mask, x, dy};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  return run;
}

static void check_bits(const sharded *s, int level, const results *found, const results *expected) {
  const int64_t n = s->c->sequences * s->own.count * s->d;
  char what[4][160];
  const char *const parts[] = {"the output", "the output again", "the input's gradient", "the parameters' gradient"};
  for (int i = 0; i < 4; i++)
    (void)snprintf(what[i], sizeof what[i], "%s (seed %llu), level %d, rank %d of %d: %s", s->c->name,
                   (unsigned long long)s->c->seed, level, rf_mesh_rank(s->mesh), rf_mesh_size(s->mesh), parts[i]);
  assert_same_bits(what[0], n, found->y, expected->y);
  assert_same_bits(what[1], n, found->vjp_y, expected->vjp_y);
  assert_same_bits(what[2], n, found->dx, expected->dx);
  assert_same_bits(what[3], s->sublayer->block.size, found->dparams, expected->dparams);
}

static void check_bytes(const sharded *s, const char *what, int64_t found, int64_t expected) {
  if (found != expected)
    fail_msg("%s, %d ranks: %s: %lld bytes, expected %lld", s->c->name, rf_mesh_size(s->mesh), what, (long long)found,
             (long long)expected);
}

/* With N rows and h halo rows that live on another rank than their owner, all ranks together, in numbers:
 *   forward   rows N (q, k, v: 2 or 3 dh; o, m, z: dh + 2)         halo h 2 dh (k, v)
 *   reverse   rows as forward, N (d_o, m, z, delta: dh + 3), N (dq, dk, dv: 2 or 3 dh);   halo h 2 dh twice
 * Level 1 does without o, m, z, level 2 without q, k, v too. */
static void check_traffic(const sharded *s, const level_run runs[MOST_LEVELS]) {
  const int64_t dh = s->sublayer->config.model.d_head, number = (int64_t)sizeof(real);
  const bool full = s->c->ops == &rf_full_attention_ops, shared = s->c->ops == &rf_lsh_attention_ops || s->c->shared_qk;
  const int64_t in = (shared ? 2 : 3) * dh;
  for (int level = 0; level < MOST_LEVELS; level++) {
    check_bytes(s, "plans, reverse", runs[level].reverse[RF_TRAFFIC_PLAN], runs[0].forward[RF_TRAFFIC_PLAN]);
    check_bytes(s, "forward", runs[level].forward[RF_TRAFFIC_ROWS], runs[0].forward[RF_TRAFFIC_ROWS]);
  }
  check_bytes(s, "all that the forward pass sends, left out at level 2",
              runs[0].reverse[RF_TRAFFIC_ROWS] - runs[2].reverse[RF_TRAFFIC_ROWS], runs[0].forward[RF_TRAFFIC_ROWS]);
  check_bytes(s, "halo left out at level 2", runs[0].reverse[RF_TRAFFIC_HALO] - runs[2].reverse[RF_TRAFFIC_HALO],
              runs[0].forward[RF_TRAFFIC_HALO]);
  if (full) return; /* keys and values go around the ring besides */
  const int64_t rows = runs[0].forward[RF_TRAFFIC_ROWS] / ((in + dh + 2) * number);
  check_bytes(s, "rows, forward", runs[0].forward[RF_TRAFFIC_ROWS], rows * (in + dh + 2) * number);
  check_bytes(s, "rows, reverse, level 0", runs[0].reverse[RF_TRAFFIC_ROWS], rows * (2 * in + 2 * dh + 5) * number);
  check_bytes(s, "rows, reverse, level 1", runs[1].reverse[RF_TRAFFIC_ROWS], rows * (2 * in + dh + 3) * number);
  check_bytes(s, "rows, reverse, level 2", runs[2].reverse[RF_TRAFFIC_ROWS], rows * (in + dh + 3) * number);
}

static void check_case(rf_mesh *mesh, const sharded_case *c) {
  sharded s = sharded_create(mesh, c);
  level_run runs[MOST_LEVELS];
  for (int level = 0; level < c->ops->levels; level++) {
    runs[level] = run_level(&s, level);
    if (level > 0) check_bits(&s, level, &runs[level].r, &runs[0].r);
  }
  if (c->ops->levels == MOST_LEVELS) check_traffic(&s, runs);
  for (int level = 0; level < c->ops->levels; level++) results_free(&runs[level].r);
  sharded_free(&s);
}

static void check_cases(int n, const sharded_case *cases) {
  rf_mesh *mesh;
  assert_ok(make_mesh(rf_mpi_size(), 1, &mesh));
  for (int i = 0; i < n; i++) check_case(mesh, &cases[i]);
  rf_mesh_destroy(mesh);
}

#define CHECK_CASES(cases) check_cases((int)(sizeof(cases) / sizeof *(cases)), (cases))
#define LSH(rounds, before, after, across, duplicate)                                                                  \
  {                                                                                                                    \
    .chunk = 4, .n_hashes = (rounds), .n_factors = 1, .n_buckets = {6}, .chunks_before = (before),                     \
    .chunks_after = (after), .attend_across_buckets = (across), .duplicates = (duplicate)                              \
  }
#define OF_LSH .ops = &rf_lsh_attention_ops
#define OF_LOCAL .ops = &rf_local_attention_ops
#define OF_FULL .ops = &rf_full_attention_ops

static void test_lsh_attention_gives_the_same_bits_at_every_level_and_sends_less(void **state) {
  (void)state;
  static const sharded_case cases[] = {
      {"one round", OF_LSH, true, 2, 2, 40, .lsh = LSH(1, 1, 0, true, RF_DUPLICATES_KEEP), .dropout = true, .seed = 1},
      {"four rounds, padding", OF_LSH, true, 2, 2, 52, .padding = UNEQUAL,
       .lsh = LSH(4, 1, 0, true, RF_DUPLICATES_KEEP), .dropout = true, .seed = 2},
      {"both ways, own bucket", OF_LSH, false, 1, 2, 40, .padding = UNEQUAL,
       .lsh = LSH(2, 1, 1, false, RF_DUPLICATES_DIVIDE), .dropout = true, .seed = 3},
      {"waves of a pair", OF_LSH, true, 3, 4, 36, .wave_bytes = 1, .lsh = LSH(2, 2, 0, true, RF_DUPLICATES_KEEP),
       .dropout = true, .seed = 4},
      {"waves of two heads of five", OF_LSH, true, 2, 5, 36, .wave_bytes = 40000,
       .lsh = LSH(2, 1, 0, true, RF_DUPLICATES_KEEP), .seed = 5},
      {"large logits", OF_LSH, true, 2, 2, 64, .query_gain = 1e3, .lsh = LSH(4, 1, 0, true, RF_DUPLICATES_KEEP),
       .seed = 6},
      {"one chunk in all", OF_LSH, true, 2, 2, 4, .padding = UNEQUAL, .lsh = LSH(2, 1, 0, true, RF_DUPLICATES_KEEP),
       .seed = 7},
  };
  CHECK_CASES(cases);
}

static void test_local_attention_gives_the_same_bits_at_every_level_and_sends_less(void **state) {
  (void)state;
  static const sharded_case cases[] = {
      {"causal", OF_LOCAL, true, 2, 2, 48, .padding = UNEQUAL, .local = {8, 1, 0}, .dropout = true, .seed = 11},
      {"both ways, waves of a pair", OF_LOCAL, false, 2, 3, 48, .wave_bytes = 1, .local = {8, 1, 1}, .dropout = true,
       .seed = 12},
      {"look-back over ranks", OF_LOCAL, true, 1, 2, 48, .local = {4, 5, 0}, .seed = 13},
  };
  CHECK_CASES(cases);
}

static void test_full_attention_gives_the_same_bits_at_every_level_and_sends_less(void **state) {
  (void)state;
  static const sharded_case cases[] = {
      {"causal", OF_FULL, true, 2, 2, 47, .padding = UNEQUAL, .dropout = true, .seed = 21},
      {"both ways, shared", OF_FULL, false, 2, 3, 48, .padding = UNEQUAL, .wave_bytes = 1, .shared_qk = true,
       .dropout = true, .seed = 22},
      {"blocks", OF_FULL, true, 1, 1, 700, .seed = 23},
  };
  CHECK_CASES(cases);
}

static void test_the_feed_forward_gives_the_same_bits_at_both_levels(void **state) {
  (void)state;
  rf_mesh *mesh;
  assert_ok(make_mesh(rf_mpi_size(), 1, &mesh));
  for (int i = 0; i < 4; i++) {
    const sharded_case c = {.name = i / 2 ? "relu" : "gelu",
                            .ops = &rf_feed_forward_ops,
                            .causal = true,
                            .sequences = 2,
                            .heads = 2,
                            .tokens = 300,
                            .relu = i / 2,
                            .dropout = i % 2,
                            .seed = 31 + (uint64_t)i};
    check_case(mesh, &c);
  }
  rf_mesh_destroy(mesh);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_lsh_attention_gives_the_same_bits_at_every_level_and_sends_less),
    cmocka_unit_test(test_local_attention_gives_the_same_bits_at_every_level_and_sends_less),
    cmocka_unit_test(test_full_attention_gives_the_same_bits_at_every_level_and_sends_less),
    cmocka_unit_test(test_the_feed_forward_gives_the_same_bits_at_both_levels),
};

RANKS_MAIN(tests)
