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
  assert_true(rf_watchdog_limit(NAN, 0.1) == 1800);
  assert_true(rf_watchdog_limit(NAN, 180) == 1800);
  assert_true(rf_watchdog_limit(NAN, 2400) == 24000);
}

/* Nothing is known of it but that it must end some time. */
static void test_a_first_step_has_hours_but_not_for_ever(void **state) {
  (void)state;
  assert_true(rf_watchdog_limit(NAN, 0) == 18000);
}

enum { LEARNERS = 8 };
static const double stopped = 2, limit = 1.5, most_learned = 1.8;

/* What the child below exits with: 0, or which thing is wrong. The limit would end it with 1. The learners are many
 * because the main thread races with each one's own to be the first that goes on. */
static int steps_that_are_stopped(void) {
  rf_watchdog *limited, *learning[LEARNERS];
  if (rf_watchdog_start(NULL, limit, &limited) != RF_OK) return 2;
  for (int i = 0; i < LEARNERS; i++)
    if (rf_watchdog_start(NULL, NAN, &learning[i]) != RF_OK) return 2;
  rf_watchdog_watch(limited, 1);
  for (int i = 0; i < LEARNERS; i++) rf_watchdog_watch(learning[i], 1);
  if (raise(SIGSTOP) != 0) return 2;
  for (int i = 0; i < LEARNERS; i++) rf_watchdog_rest(learning[i]);
  (void)usleep(200000); /* for the limit to be looked at */
  rf_watchdog_stop(limited);
  for (int i = 0; i < LEARNERS; i++) {
    if (rf_watchdog_longest(learning[i]) > most_learned) return 3;
    rf_watchdog_stop(learning[i]);
  }
  return 0;
}

/* As Slurm does with a job that makes room for another: it is neither over its limit afterwards, nor is what it stood
 * still for learned as the time of a step. */
static void test_what_a_suspended_job_stands_still_for_is_not_the_steps(void **state) {
  (void)state;
  int status;
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) _exit(steps_that_are_stopped());
  assert_int_equal(waitpid(child, &status, WUNTRACED), child);
  assert_true(WIFSTOPPED(status));
  (void)usleep((useconds_t)(stopped * 1e6));
  assert_int_equal(kill(child, SIGCONT), 0);
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_limit_that_is_given_is_the_limit),
      cmocka_unit_test(test_a_limit_that_is_learned_ends_no_step_that_is_merely_long),
      cmocka_unit_test(test_a_first_step_has_hours_but_not_for_ever),
      cmocka_unit_test(test_what_a_suspended_job_stands_still_for_is_not_the_steps),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
