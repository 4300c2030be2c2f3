#include "base/median.h"
#include "support/numbers.h"

static void test_the_middle_is_taken_and_of_two_their_mean(void **state) {
  (void)state;
  double one[] = {7}, odd[] = {9, -1, 4}, even[] = {8, 1, 2, 100};
  assert_true(rf_median(1, one) == 7);
  assert_true(rf_median(3, odd) == 4);
  assert_true(rf_median(4, even) == 5);
}

static void test_values_are_sorted_smallest_first(void **state) {
  (void)state;
  double values[] = {3, -2, 10, 0};
  (void)rf_median(4, values);
  const double sorted[] = {-2, 0, 3, 10};
  assert_memory_equal(values, sorted, sizeof sorted);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_the_middle_is_taken_and_of_two_their_mean),
    cmocka_unit_test(test_values_are_sorted_smallest_first),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
