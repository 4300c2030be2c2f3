/* How long a step may take. That a limit ends the run is tests/mpi/test_faults.sh. */
#include "train/watchdog.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static void test_a_limit_that_is_given_is_the_limit(void **state) {
  (void)state;
  assert_true(rf_watchdog_limit(5, 0) == 5);
  assert_true(rf_watchdog_limit(5, 2400) == 5);
}

static void test_a_limit_that_is_learned_ends_no_step_that_is_merely_long(void **state) {
  (void)state;
  assert_true(isinf(rf_watchdog_limit(NAN, 0)));
  assert_true(rf_watchdog_limit(NAN, 0.1) == 1800);
  assert_true(rf_watchdog_limit(NAN, 180) == 1800);
  assert_true(rf_watchdog_limit(NAN, 2400) == 24000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_limit_that_is_given_is_the_limit),
      cmocka_unit_test(test_a_limit_that_is_learned_ends_no_step_that_is_merely_long),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
