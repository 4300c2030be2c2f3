/* What ends a run before its last step: the Slurm job's end, where it is this job's. Signals are sent by cli/signals.
 */
#include "train/stop.h"
#include "support/numbers.h"
#include <math.h>
#include <stdlib.h>

enum { STARTED = 2000000000, NOW = STARTED + 5 };

static double seconds_to(const char *end_time, const char *job, long long group_job) {
  assert_int_equal(setenv("SLURM_JOB_END_TIME", end_time, 1), 0);
  assert_int_equal(job ? setenv("SLURM_JOB_ID", job, 1) : unsetenv("SLURM_JOB_ID"), 0);
  return rf_stop_job_seconds(STARTED, NOW, group_job);
}

static void test_a_job_that_ends_soon_is_one(void **state) {
  (void)state;
  assert_true(seconds_to("2000000010", NULL, 0) == 5);
  assert_true(seconds_to("2000000003", NULL, 0) == -2); /* the start took so long */
  assert_true(seconds_to("2000000010", "12", 0) == 5);
  assert_true(seconds_to("2000000010", "12", 12) == 5);
  assert_true(seconds_to("2000000010", NULL, 12) == 5);
  assert_true(seconds_to("2031536000", "12", 0) == 31535995); /* a year: no limit, to Slurm */
}

static void test_a_job_that_is_over_is_an_older_one(void **state) {
  (void)state;
  assert_true(isinf(seconds_to("2000000000", NULL, 0)));
  assert_true(isinf(seconds_to("1999999999", "12", 12)));
  assert_true(isinf(seconds_to("1", NULL, 0)));
}

static void test_what_is_no_time_ends_nothing(void **state) {
  static const char *const texts[] = {
      "",     "soon", "0",   "-5",  "2000000010x", "2000000010.5", "99999999999999999999",
      "None", "nan",  "inf", "0x7", "Unknown"};
  (void)state;
  for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) assert_true(isinf(seconds_to(texts[i], NULL, 0)));
  assert_int_equal(unsetenv("SLURM_JOB_END_TIME"), 0);
  assert_true(isinf(rf_stop_job_seconds(STARTED, NOW, 0)));
}

static void test_another_job_than_the_control_groups_is_not_this_one(void **state) {
  (void)state;
  assert_true(isinf(seconds_to("2000000010", "12", 13)));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_job_that_ends_soon_is_one),
      cmocka_unit_test(test_a_job_that_is_over_is_an_older_one),
      cmocka_unit_test(test_what_is_no_time_ends_nothing),
      cmocka_unit_test(test_another_job_than_the_control_groups_is_not_this_one),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
