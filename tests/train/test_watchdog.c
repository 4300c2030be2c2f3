/* How long a step may take. That a limit ends the run is tests/mpi/test_faults.sh. */
#include "train/watchdog.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

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

/* As Slurm does with a job that makes room for another. The step itself takes a second. */
static void test_a_job_that_is_suspended_has_its_time_afterwards(void **state) {
  (void)state;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    rf_watchdog *w;
    if (rf_watchdog_start(NULL, 3, &w) != RF_OK) _exit(1);
    rf_watchdog_watch(w, 1);
    for (int i = 0; i < 10; i++) (void)usleep(100000);
    rf_watchdog_stop(w);
    _exit(0);
  }
  int status;
  (void)usleep(300000);
  assert_int_equal(kill(child, SIGSTOP), 0);
  (void)usleep(4500000);
  assert_int_equal(kill(child, SIGCONT), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_limit_that_is_given_is_the_limit),
      cmocka_unit_test(test_a_limit_that_is_learned_ends_no_step_that_is_merely_long),
      cmocka_unit_test(test_a_job_that_is_suspended_has_its_time_afterwards),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
