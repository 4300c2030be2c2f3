/* The stopwatch of phases. */
#include "base/phase.h"
#include "base/clock.h"
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <cmocka.h>

static void spend(double seconds) {
  const double start = rf_clock_seconds();
  while (rf_clock_seconds() - start < seconds) continue;
}

static void test_time_counts_for_the_innermost_phase_only(void **state) {
  (void)state;
  rf_phases p;
  const double start = rf_clock_seconds();
  rf_phases_reset(&p);
  const rf_phase outer = rf_phase_enter(&p, RF_PHASE_PROJECT);
  const rf_phase inner = rf_phase_enter(&p, RF_PHASE_EXCHANGE);
  rf_phase_wait(&p, true);
  spend(2e-3);
  rf_phase_wait(&p, false);
  rf_phase_leave(&p, inner);
  assert_int_equal(p.current, RF_PHASE_PROJECT);
  rf_phase_leave(&p, outer);
  rf_phases_read(&p);
  const double all = rf_clock_seconds() - start;
  double sum = 0;
  for (int i = 0; i < RF_PHASES; i++) sum += p.seconds[i];
  assert_true(p.seconds[RF_PHASE_EXCHANGE] >= 2e-3);
  assert_true(p.waited[RF_PHASE_EXCHANGE] >= 2e-3 && p.waited[RF_PHASE_PROJECT] == 0);
  assert_true(sum <= all && sum >= p.seconds[RF_PHASE_EXCHANGE] + p.seconds[RF_PHASE_PROJECT]);
}

static rf_status fails(void) { return rf_fail(RF_FAILED, "on purpose"); }
static rf_status run_in_a_phase(rf_phases *p) {
  RF_TRY_IN(p, RF_PHASE_HEAD, fails());
  return RF_OK;
}

static void test_a_failure_leaves_its_phase(void **state) {
  (void)state;
  rf_phases p;
  rf_phases_reset(&p);
  assert_int_equal(run_in_a_phase(&p), RF_FAILED);
  assert_int_equal(p.current, RF_PHASE_OTHER);
  assert_int_equal(run_in_a_phase(NULL), RF_FAILED);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_time_counts_for_the_innermost_phase_only),
                                     cmocka_unit_test(test_a_failure_leaves_its_phase)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
