/* Buckets against the argmax of the concatenation. */
#include "lsh/hash.h"
#include "support/numbers.h"

enum { ROWS = 97, LD = 11, STRIDE = 200, FIRST = 13 };

/* argmax over [x R, -x R], factor by factor, as the paper writes it. Returns the bucket and in *margin by how much the
 * winner won: below the rounding of the product, float may choose otherwise. */
static int64_t naive_bucket(const rf_hash_shape *s, const real *q, const real *rotations, int64_t round,
                            double *margin) {
  int64_t bucket = 0, weight = 1, column = round * s->columns;
  *margin = INFINITY;
  for (int f = 0; f < s->n_factors; f++) {
    const int64_t half = s->factor[f] / 2;
    double best = -INFINITY, second = -INFINITY;
    int64_t at = 0;
    for (int64_t j = 0; j < s->factor[f]; j++) {
      double x = 0;
      for (int64_t i = 0; i < s->d_head; i++)
        x += (double)q[i] * (double)rotations[i * s->rounds * s->columns + column + j % half];
      if (j >= half) x = -x;
      if (x > best) {
        second = best;
        best = x;
        at = j;
      } else if (x > second) {
        second = x;
      }
    }
    *margin = fmin(*margin, best - second);
    bucket += weight * at;
    weight *= s->factor[f];
    column += half;
  }
  return bucket;
}

static void check_hash(const rf_lsh_config *lsh, const uint8_t *mask, uint64_t seed) {
  dice d = {.seed = seed};
  const rf_hash_shape s = rf_hash_shape_of(lsh, 7);
  real *q = dice_reals(&d, ROWS * LD, 1), *rotated = NEW(real, ROWS * s.rounds * s.columns);
  real *rotations = NEW(real, s.d_head * s.rounds * s.columns);
  const rf_draw draw = {.seed = seed, .purpose = RF_RNG_ROTATION, .head = 2};
  rf_rotations_draw(&s, &draw, rotations);
  const rf_buckets buckets = {NEW(char, (FIRST + s.rounds * STRIDE) * rf_bucket_bytes(s.buckets)),
                              rf_bucket_bytes(s.buckets)};
  rf_hash_rows(&s, ROWS, (rf_view){q, LD}, rotations, mask, rotated, &(rf_bucket_rows){buckets, FIRST, STRIDE});
  int64_t decided = 0;
  for (int64_t r = 0; r < s.rounds; r++)
    for (int64_t i = 0; i < ROWS; i++) {
      double margin;
      int64_t expected = naive_bucket(&s, q + i * LD, rotations, r, &margin);
      if (mask && !mask[i])
        expected = s.buckets;
      else if (margin < 100 * (double)RF_REAL_EPSILON)
        continue; /* too close to call in this precision */
      decided++;
      if (rf_bucket_get(&buckets, FIRST + r * STRIDE + i) != expected)
        fail_msg("row %lld, round %lld (seed %llu): bucket %d, expected %lld", (long long)i, (long long)r,
                 (unsigned long long)seed, rf_bucket_get(&buckets, FIRST + r * STRIDE + i), (long long)expected);
    }
  assert_true(decided > s.rounds * ROWS * 99 / 100);
  free(q);
  free(rotated);
  free(rotations);
  free(buckets.data);
}

static void test_bucket_is_the_argmax_over_both_signs(void **state) {
  (void)state;
  check_hash(&(rf_lsh_config){.n_hashes = 1, .n_factors = 1, .n_buckets = {2}}, NULL, 81);
  check_hash(&(rf_lsh_config){.n_hashes = 3, .n_factors = 1, .n_buckets = {16}}, NULL, 82);
  check_hash(&(rf_lsh_config){.n_hashes = 2, .n_factors = 3, .n_buckets = {4, 8, 2}}, NULL, 83);
  check_hash(&(rf_lsh_config){.n_hashes = 1, .n_factors = 2, .n_buckets = {512, 256}}, NULL, 84); /* 4 bytes an id */
}

static void test_padding_gets_the_last_bucket(void **state) {
  (void)state;
  uint8_t mask[ROWS];
  for (int i = 0; i < ROWS; i++) mask[i] = i % 3 != 0;
  check_hash(&(rf_lsh_config){.n_hashes = 2, .n_factors = 1, .n_buckets = {8}}, mask, 85);
}

/* The first of equals, as an argmax over the concatenation gives it. */
static void test_ties_go_to_the_lowest_bucket(void **state) {
  (void)state;
  const rf_hash_shape s = rf_hash_shape_of(&(rf_lsh_config){.n_hashes = 1, .n_factors = 1, .n_buckets = {8}}, 1);
  const real q[] = {0, 1, -1}, rotations[] = {2, -2, 2, -2};
  real rotated[3 * 4];
  uint16_t ids[3];
  const rf_buckets buckets = {ids, 2};
  rf_hash_rows(&s, 3, (rf_view){q, 1}, rotations, NULL, rotated, &(rf_bucket_rows){buckets, 0, 0});
  assert_int_equal(ids[0], 0); /* all 0 */
  assert_int_equal(ids[1], 0); /* 2 at columns 0 and 2, and -(-2) at columns 1 + 4 and 3 + 4 */
  assert_int_equal(ids[2], 1); /* 2 at columns 1 and 3, and -(-2) at 0 + 4 */
}

static void test_rotations_are_the_stream_of_normals_of_their_draw(void **state) {
  (void)state;
  const rf_hash_shape s = rf_hash_shape_of(&(rf_lsh_config){.n_hashes = 2, .n_factors = 1, .n_buckets = {6}}, 5);
  const rf_draw draw = {.seed = 5, .purpose = RF_RNG_ROTATION, .step = 9, .layer = 1, .head = 1};
  real rotations[5 * 2 * 3];
  rf_rotations_draw(&s, &draw, rotations);
  for (uint64_t i = 0; i < 30; i++) assert_true(rotations[i] == (real)rf_draw_normal(&draw, i));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bucket_is_the_argmax_over_both_signs),
      cmocka_unit_test(test_padding_gets_the_last_bucket),
      cmocka_unit_test(test_ties_go_to_the_lowest_bucket),
      cmocka_unit_test(test_rotations_are_the_stream_of_normals_of_their_draw),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
