#include "data/permutation.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rf_draw epoch_of(uint64_t seed, uint32_t epoch) {
  return (rf_draw){.seed = seed, .purpose = RF_RNG_WINDOW, .step = epoch};
}

static void test_every_value_is_visited_once(void **state) {
  (void)state;
  for (uint64_t size = 1; size <= 4200; size = size < 70 ? size + 1 : size + 413) {
    for (uint32_t epoch = 0; epoch < 3; epoch++) {
      rf_draw draw = epoch_of(size, epoch);
      unsigned char *seen = calloc(size, 1);
      assert_non_null(seen);
      for (uint64_t i = 0; i < size; i++) {
        uint64_t at = rf_permutation_at(&draw, size, i);
        if (at >= size || seen[at])
          fail_msg("size %llu, epoch %u: %llu goes to %llu", (unsigned long long)size, epoch, (unsigned long long)i,
                   (unsigned long long)at);
        seen[at] = 1;
      }
      free(seen);
    }
  }
}

static void test_a_huge_range_stays_in_range(void **state) {
  (void)state;
  rf_draw draw = epoch_of(1, 0);
  const uint64_t size = (UINT64_C(1) << 61) + 12345;
  for (uint64_t i = 0; i < 1000; i++) assert_true(rf_permutation_at(&draw, size, size - 1 - i) < size);
}

static void test_seed_and_epoch_choose_the_order(void **state) {
  (void)state;
  enum { SIZE = 1000 };
  rf_draw a = epoch_of(1, 0), b = epoch_of(1, 1), c = epoch_of(2, 0);
  int same_b = 0, same_c = 0;
  for (uint64_t i = 0; i < SIZE; i++) {
    uint64_t at = rf_permutation_at(&a, SIZE, i);
    assert_true(at == rf_permutation_at(&a, SIZE, i));
    same_b += at == rf_permutation_at(&b, SIZE, i);
    same_c += at == rf_permutation_at(&c, SIZE, i);
  }
  /* Fixed points of a random permutation: Poisson with mean 1; more than 9 come once in ten million. */
  assert_in_range(same_b, 0, 9);
  assert_in_range(same_c, 0, 9);
}

static void test_each_value_is_equally_likely_at_each_place(void **state) {
  (void)state;
  enum { SIZE = 6, EPOCHS = 6000 };
  double count[SIZE][SIZE] = {{0}};
  for (uint32_t epoch = 0; epoch < EPOCHS; epoch++) {
    rf_draw draw = epoch_of(11, epoch);
    for (uint64_t i = 0; i < SIZE; i++) count[i][rf_permutation_at(&draw, SIZE, i)]++;
  }
  const double mean = (double)EPOCHS / SIZE, deviation = sqrt(mean * (1 - 1.0 / SIZE));
  for (int i = 0; i < SIZE; i++)
    for (int j = 0; j < SIZE; j++)
      if (fabs(count[i][j] - mean) > 5 * deviation)
        fail_msg("seed 11: %d -> %d %g times of %g", i, j, count[i][j], mean);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_value_is_visited_once),
      cmocka_unit_test(test_a_huge_range_stays_in_range),
      cmocka_unit_test(test_seed_and_epoch_choose_the_order),
      cmocka_unit_test(test_each_value_is_equally_likely_at_each_place),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
