/* What an exchange costs on many more ranks than a test can start, from real hashes of rows that lie in clusters. */
#include "comm/histogram.h"
#include "comm/simulate.h"
#include "lsh/hash.h"
#include "mpi/ranks.h"

enum { LENGTH = 16384, D_HEAD = 64, CHUNK = 64, ROUNDS = 4 };

static rf_arena *scratch;

static int set_up(void **state) {
  (void)state;
  return rf_arena_create("simulation", 0, &scratch) != RF_OK;
}

static int tear_down(void **state) {
  (void)state;
  rf_arena_destroy(scratch);
  return 0;
}

/* Buckets [ROUNDS, LENGTH] of rows that are a cluster's centre and noise; padding: so many tokens at the end. */
static uint16_t *hash_clusters(uint64_t seed, int64_t clusters, int64_t padding, rf_exchange_shape *shape) {
  const rf_lsh_config lsh = {.n_hashes = ROUNDS, .n_factors = 2, .n_buckets = {16, 32}};
  const rf_hash_shape hash = rf_hash_shape_of(&lsh, D_HEAD);
  const rf_draw draw = {.seed = seed, .purpose = RF_RNG_ROTATION};
  dice d = {seed, 0};
  real *rotations = NEW(real, D_HEAD * hash.rounds * hash.columns), *q = NEW(real, LENGTH * D_HEAD);
  real *rotated = NEW(real, LENGTH * hash.rounds * hash.columns), *centre = dice_reals(&d, clusters * D_HEAD, 1);
  uint8_t *mask = NEW(uint8_t, LENGTH);
  uint16_t *buckets = NEW(uint16_t, ROUNDS * LENGTH);
  const rf_bucket_rows out = {{buckets, 2}, 0, LENGTH};
  rf_rotations_draw(&hash, &draw, rotations);
  for (int64_t t = 0; t < LENGTH; t++) {
    const int64_t c = dice_below(&d, clusters);
    mask[t] = t < LENGTH - padding;
    for (int64_t j = 0; j < D_HEAD; j++) q[t * D_HEAD + j] = centre[c * D_HEAD + j] + R_(0.3) * (real)dice_normal(&d);
  }
  rf_hash_rows(&hash, LENGTH, (rf_view){q, D_HEAD}, rotations, mask, rotated, &out);
  free(rotations);
  free(q);
  free(rotated);
  free(centre);
  free(mask);
  *shape = (rf_exchange_shape){.pairs = 1,
                               .rounds = ROUNDS,
                               .tokens = LENGTH,
                               .chunk = CHUNK,
                               .chunks_before = 1,
                               .n_buckets = hash.buckets + 1,
                               .rounds_travel = true,
                               .together = 1,
                               .parts = 1};
  return buckets;
}

static void check_growth(const char *what, int64_t clusters, int64_t padding) {
  rf_exchange_shape shape;
  uint16_t *buckets = hash_clusters(11, clusters, padding, &shape);
  double before = 0;
  for (int ranks = 1; ranks <= 1024; ranks *= 2) {
    rf_exchange_simulation s;
    assert_ok(rf_exchange_simulate(&shape, ranks, 2, (const void *const[]){buckets}, scratch, &s));
    const int64_t most = ROUNDS < ranks - 1 ? ROUNDS : ranks - 1;
    const double forward = 3 * D_HEAD * 4 * (double)s.rows, backward = 6 * D_HEAD * 4 * (double)s.rows;
    const double metadata = (double)(s.plan_bytes + s.histogram_bytes);
    if (!(s.most_rows_of_token <= most && s.rows_per_token <= (double)most))
      fail_msg("%s, %d ranks: %.3f rows a token, %lld at most", what, ranks, s.rows_per_token, (long long)most);
    if (ranks > 1 && !(s.rows_per_token >= before))
      fail_msg("%s, %d ranks: %.3f rows a token, %.3f on half as many", what, ranks, s.rows_per_token, before);
    /* A step makes the plan twice. With fewer than four chunks of tokens a rank, the counts that every pair of ranks
     * exchanges and the halo of each round would show. */
    if (s.rows > 0 && LENGTH / ranks >= 4 * CHUNK && !(2 * metadata < 0.05 * (forward + backward)))
      fail_msg("%s, %d ranks: %.0f bytes of metadata for %.0f of rows", what, ranks, metadata, forward + backward);
    /* no owner holds more than its slots and, of every round, a halo, whatever the skew */
    const int64_t slots = (ROUNDS * LENGTH / CHUNK / ranks + 1 + ROUNDS) * CHUNK;
    assert_true(s.most_rows <= slots);
    before = s.rows_per_token;
  }
  free(buckets);
}

static void test_rows_of_a_token_are_bounded_by_rounds_however_many_ranks(void **state) {
  (void)state;
  check_growth("scattered rows", LENGTH, 0);
  check_growth("200 clusters", 200, 0);
  check_growth("3 clusters", 3, 0);
  check_growth("half padding", 200, LENGTH / 2);
}

static void test_sparse_histograms_take_over_where_they_are_smaller(void **state) {
  (void)state;
  rf_exchange_shape shape;
  uint16_t *buckets = hash_clusters(12, 200, 0, &shape);
  for (int ranks = 2; ranks <= 1024; ranks *= 2) {
    rf_exchange_simulation dense, sparse, chosen;
    shape.histogram = RF_HISTOGRAM_DENSE;
    assert_ok(rf_exchange_simulate(&shape, ranks, 2, (const void *const[]){buckets}, scratch, &dense));
    shape.histogram = RF_HISTOGRAM_SPARSE;
    assert_ok(rf_exchange_simulate(&shape, ranks, 2, (const void *const[]){buckets}, scratch, &sparse));
    shape.histogram = RF_HISTOGRAM_AUTO;
    assert_ok(rf_exchange_simulate(&shape, ranks, 2, (const void *const[]){buckets}, scratch, &chosen));
    assert_int_equal(dense.rows, sparse.rows);
    const rf_histogram_shape one = {RF_HISTOGRAM_AUTO, ROUNDS, shape.n_buckets, LENGTH, ranks};
    const bool is_dense = rf_histogram_is_dense(&one);
    assert_int_equal(chosen.histogram_bytes, is_dense ? dense.histogram_bytes : sparse.histogram_bytes);
    /* sparse ones stay below 12 bytes an item; dense ones grow with ranks times buckets */
    assert_true(sparse.histogram_bytes <= 12 * ROUNDS * LENGTH + 16 * ranks * (ranks - 1));
    if (!is_dense) assert_true(sparse.histogram_bytes < dense.histogram_bytes);
  }
  free(buckets);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_rows_of_a_token_are_bounded_by_rounds_however_many_ranks),
    cmocka_unit_test(test_sparse_histograms_take_over_where_they_are_smaller),
};

int main(int argc, char **argv) {
  int failed = rf_mpi_start(&argc, &argv) != RF_OK;
  if (!failed) failed = cmocka_run_group_tests(tests, set_up, tear_down);
  rf_mpi_finish();
  return failed != 0;
}
