/* How many threads fit, and how cores are parted; cli/processors starts the program itself. */
#include "session/threads.h"
#include "base/cores.h"
#include "support/numbers.h"
#include <math.h>

static int fitting(int cores, int sharers, double quota, int quota_sharers) {
  const rf_threads_room room = {cores, sharers, quota, quota_sharers};
  return rf_threads_fitting(&room);
}

static void test_ranks_share_cores(void **state) {
  (void)state;
  assert_int_equal(fitting(8, 1, INFINITY, 1), 8);
  assert_int_equal(fitting(8, 3, INFINITY, 3), 2);
  assert_int_equal(fitting(2, 5, INFINITY, 5), 1);
}

static void test_a_quota_limits_threads(void **state) {
  (void)state;
  assert_int_equal(fitting(8, 1, 4, 1), 4);
  assert_int_equal(fitting(8, 1, 1.5, 1), 2); /* a part of a core is worth a thread */
  assert_int_equal(fitting(8, 1, 0.01, 1), 1);
  assert_int_equal(fitting(8, 1, 16, 1), 8);
  assert_int_equal(fitting(8, 1, 8, 4), 2); /* bound to cores of their own, but in one container */
  assert_int_equal(fitting(8, 2, 3, 2), 1);
  assert_int_equal(fitting(8, 1, 2, 4), 1);
}

static rf_cores cores_of(const int *numbers, int n) {
  rf_cores cores = {0};
  const int bits = 8 * (int)sizeof cores.words[0];
  for (int i = 0; i < n; i++) cores.words[numbers[i] / bits] |= 1UL << (numbers[i] % bits);
  return cores;
}

static void test_parts_of_cores_are_even_and_miss_none(void **state) {
  static const int numbers[] = {0, 3, 63, 64, 1023, 1024, 8191};
  const rf_cores all = cores_of(numbers, 7);
  (void)state;
  assert_int_equal(rf_cores_count(&all), 7);
  for (int parts = 1; parts <= 7; parts++) {
    rf_cores before = {0}, part;
    int count = 0;
    for (int i = 0; i < parts; i++) {
      rf_cores_cut(&all, i, parts, &part);
      const int n = rf_cores_count(&part);
      assert_true(n == 7 / parts || n == 7 / parts + 1);
      assert_true(rf_cores_overlap(&all, &part) && !rf_cores_overlap(&before, &part));
      for (size_t w = 0; w < sizeof part.words / sizeof *part.words; w++) before.words[w] |= part.words[w];
      count += n;
    }
    assert_int_equal(count, 7);
    assert_true(rf_cores_equal(&before, &all));
  }
}

static void test_more_parts_than_cores_share_them(void **state) {
  static const int numbers[] = {4, 5};
  const rf_cores all = cores_of(numbers, 2);
  (void)state;
  for (int i = 0; i < 5; i++) {
    rf_cores part;
    rf_cores_cut(&all, i, 5, &part);
    assert_int_equal(rf_cores_count(&part), 1);
    assert_true(rf_cores_has(&part, i < 3 ? 4 : 5));
  }
}

static void test_the_process_has_cores(void **state) {
  rf_cores cores, threads;
  (void)state;
  rf_cores_of_process(&cores);
  rf_cores_of_threads(&threads);
  assert_true(rf_cores_count(&cores) >= 1);
  assert_true(rf_cores_overlap(&cores, &threads));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_ranks_share_cores),
      cmocka_unit_test(test_a_quota_limits_threads),
      cmocka_unit_test(test_parts_of_cores_are_even_and_miss_none),
      cmocka_unit_test(test_more_parts_than_cores_share_them),
      cmocka_unit_test(test_the_process_has_cores),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
