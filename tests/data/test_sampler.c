#include "data/sampler.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static const double all_train[3] = {1, 0, 0};

/* One epoch of n tokens: windows in range, disjoint, one grid, each once. Returns the phase. */
static int64_t check_epoch(int64_t n, int64_t length, uint64_t seed, uint64_t epoch) {
  rf_sampler sampler = rf_sampler_create(n, all_train, length, seed);
  int64_t count = rf_sampler_sequences(&sampler, RF_SPLIT_TRAIN);
  assert_true(count == (n - length + 1) / length || (count == 1 && n - length + 1 < length));
  unsigned char *seen = calloc((size_t)count, 1);
  assert_non_null(seen);
  int64_t phase = -1;
  for (int64_t i = 0; i < count; i++) {
    int64_t start = rf_sampler_start(&sampler, RF_SPLIT_TRAIN, epoch * (uint64_t)count + (uint64_t)i);
    if (start < 0 || start + length > n)
      fail_msg("n %ld, length %ld: window at %ld", (long)n, (long)length, (long)start);
    if (phase < 0) phase = start % length;
    assert_int_equal(start % length, phase);
    int64_t window = start / length;
    assert_in_range(window, 0, count - 1);
    if (seen[window]) fail_msg("n %ld, length %ld: window %ld twice", (long)n, (long)length, (long)window);
    seen[window] = 1;
  }
  free(seen);
  return phase;
}

static void test_every_window_is_visited_once_an_epoch(void **state) {
  (void)state;
  for (int64_t length = 1; length <= 40; length += length < 5 ? 1 : 7)
    for (int64_t n = length; n <= 12 * length + 3; n++)
      for (uint64_t epoch = 0; epoch < 3; epoch++) check_epoch(n, length, (uint64_t)n, epoch);
  check_epoch(1000003, 64, 1, 5);
}

static void test_every_possible_phase_comes_up_and_no_other(void **state) {
  (void)state;
  for (int64_t n = 8; n <= 40; n++) {
    unsigned char seen[8] = {0};
    for (uint64_t epoch = 0; epoch < 400; epoch++) seen[check_epoch(n, 8, 3, epoch)] = 1;
    /* n - 8 + 1 places for a single window; from 15 tokens on all 8 phases fit */
    for (int64_t phase = 0; phase < 8; phase++) assert_int_equal(seen[phase], phase < n - 8 + 1);
  }
}

static void test_epochs_differ_in_order(void **state) {
  (void)state;
  rf_sampler sampler = rf_sampler_create(64000, all_train, 64, 1);
  int64_t count = rf_sampler_sequences(&sampler, RF_SPLIT_TRAIN);
  int64_t same = 0;
  for (int64_t i = 0; i < count; i++)
    same += rf_sampler_start(&sampler, RF_SPLIT_TRAIN, (uint64_t)i) / 64 ==
            rf_sampler_start(&sampler, RF_SPLIT_TRAIN, (uint64_t)(count + i)) / 64;
  assert_in_range(same, 0, 9); /* Poisson, mean 1 */
}

static void test_splits_follow_each_other_without_overlap_or_loss(void **state) {
  (void)state;
  static const double splits[][3] = {{0.9, 0.05, 0.05}, {1, 0, 0}, {0.7, 0.3, 0},
                                     {0.1, 0.2, 0.7},   {0, 1, 0}, {1.0 / 3, 1.0 / 3, 1.0 / 3}};
  for (size_t s = 0; s < sizeof splits / sizeof *splits; s++)
    for (int64_t n = 1; n < 1000; n += 7) {
      rf_sampler sampler = rf_sampler_create(n, splits[s], 4, 1);
      assert_int_equal(sampler.edges[0], 0);
      assert_int_equal(sampler.edges[3], n);
      for (int k = 0; k < 3; k++) {
        double want = splits[s][k] * (double)n, got = (double)(sampler.edges[k + 1] - sampler.edges[k]);
        if (got < want - 1 || got > want + 1) fail_msg("n %ld, split %zu part %d: %g not %g", (long)n, s, k, got, want);
        for (int64_t i = 0; i < rf_sampler_sequences(&sampler, (rf_split)k); i++) {
          int64_t start = rf_sampler_start(&sampler, (rf_split)k, (uint64_t)i);
          assert_true(start >= sampler.edges[k] && start + 4 <= sampler.edges[k + 1]);
        }
      }
    }
}

static void test_a_split_that_is_not_full_leaves_the_end_of_the_file(void **state) {
  (void)state;
  const double half[3] = {0.25, 0.25, 0};
  rf_sampler sampler = rf_sampler_create(1000, half, 10, 1);
  assert_int_equal(sampler.edges[1], 250);
  assert_int_equal(sampler.edges[2], 500);
  assert_int_equal(sampler.edges[3], 500);
}

static void test_evaluation_takes_windows_in_order(void **state) {
  (void)state;
  const double split[3] = {0.5, 0.5, 0};
  rf_sampler sampler = rf_sampler_create(1000, split, 30, 1);
  assert_int_equal(rf_sampler_sequences(&sampler, RF_SPLIT_VALIDATION), 16);
  for (int64_t i = 0; i < 16; i++)
    assert_int_equal(rf_sampler_start(&sampler, RF_SPLIT_VALIDATION, (uint64_t)i), 500 + 30 * i);
  assert_int_equal(rf_sampler_sequences(&sampler, RF_SPLIT_TEST), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_window_is_visited_once_an_epoch),
      cmocka_unit_test(test_every_possible_phase_comes_up_and_no_other),
      cmocka_unit_test(test_epochs_differ_in_order),
      cmocka_unit_test(test_splits_follow_each_other_without_overlap_or_loss),
      cmocka_unit_test(test_a_split_that_is_not_full_leaves_the_end_of_the_file),
      cmocka_unit_test(test_evaluation_takes_windows_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
