#include "reformer/optimizer.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>

static void assert_near(double got, double want) {
  if (!(fabs(got - want) <= 1e-15 + 1e-14 * fabs(want))) fail_msg("%.17g is not %.17g", got, want);
}

static rf_optimizer_config config_of(rf_schedule_kind schedule) {
  return (rf_optimizer_config){.kind = RF_ADAM, .lr = 0.4, .schedule = schedule, .warmup = 100, .lr_end = 0.1};
}

static void test_warm_up_is_a_line_to_the_rate(void **state) {
  (void)state;
  for (int schedule = RF_SCHEDULE_CONSTANT; schedule <= RF_SCHEDULE_LINEAR; schedule++) {
    rf_optimizer_config config = config_of((rf_schedule_kind)schedule);
    assert_near(rf_schedule_rate(&config, 1, 1000), 0.004);
    assert_near(rf_schedule_rate(&config, 50, 1000), 0.2);
    assert_near(rf_schedule_rate(&config, 99, 1000), 0.396);
    assert_near(rf_schedule_rate(&config, 100, 1000), 0.4);
    config.warmup = 0;
    if (schedule == RF_SCHEDULE_CONSTANT || schedule == RF_SCHEDULE_RSQRT)
      assert_near(rf_schedule_rate(&config, 1, 1000), 0.4);
  }
}

static void test_constant_stays(void **state) {
  (void)state;
  rf_optimizer_config config = config_of(RF_SCHEDULE_CONSTANT);
  assert_near(rf_schedule_rate(&config, 101, 1000), 0.4);
  assert_near(rf_schedule_rate(&config, 1000000, 1000), 0.4);
}

static void test_rsqrt_falls_with_the_root_of_the_step(void **state) {
  (void)state;
  rf_optimizer_config config = config_of(RF_SCHEDULE_RSQRT);
  assert_near(rf_schedule_rate(&config, 400, 1000), 0.2);
  assert_near(rf_schedule_rate(&config, 10000, 1000), 0.04);
  config.warmup = 0;
  assert_near(rf_schedule_rate(&config, 4, 1000), 0.2);
}

static void test_cosine_and_line_end_at_lr_end(void **state) {
  (void)state;
  rf_optimizer_config cosine = config_of(RF_SCHEDULE_COSINE), line = config_of(RF_SCHEDULE_LINEAR);
  assert_near(rf_schedule_rate(&cosine, 550, 1000), 0.22); /* half way between 0.4 and 0.04 */
  assert_near(rf_schedule_rate(&line, 550, 1000), 0.22);
  assert_near(rf_schedule_rate(&cosine, 400, 1000), 0.04 + 0.36 * 0.75); /* a third of the half turn: cos = 1/2 */
  assert_near(rf_schedule_rate(&line, 400, 1000), 0.28);
  for (int64_t step = 1000; step <= 1001; step++) {
    assert_near(rf_schedule_rate(&cosine, step, 1000), 0.04);
    assert_near(rf_schedule_rate(&line, step, 1000), 0.04);
  }
}

static void test_a_run_shorter_than_its_warm_up_has_finite_rates(void **state) {
  (void)state;
  for (int schedule = RF_SCHEDULE_CONSTANT; schedule <= RF_SCHEDULE_LINEAR; schedule++) {
    rf_optimizer_config config = config_of((rf_schedule_kind)schedule);
    for (int64_t step = 1; step <= 100; step++) assert_near(rf_schedule_rate(&config, step, 100), 0.004 * (double)step);
    assert_near(rf_schedule_rate(&config, 10, 10), 0.04);
  }
}

static void test_relative_steps_are_the_papers(void **state) {
  (void)state;
  rf_optimizer_config config = config_of(RF_SCHEDULE_COSINE);
  config.relative_step = true;
  assert_near(rf_schedule_rate(&config, 550, 1000), 0.22); /* Adam has none */
  config.kind = RF_ADAFACTOR;
  assert_near(rf_schedule_rate(&config, 1, 1000), 0.01);
  assert_near(rf_schedule_rate(&config, 10000, 1000), 0.01);
  assert_near(rf_schedule_rate(&config, 40000, 1000), 0.005);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_warm_up_is_a_line_to_the_rate),
      cmocka_unit_test(test_constant_stays),
      cmocka_unit_test(test_rsqrt_falls_with_the_root_of_the_step),
      cmocka_unit_test(test_cosine_and_line_end_at_lr_end),
      cmocka_unit_test(test_a_run_shorter_than_its_warm_up_has_finite_rates),
      cmocka_unit_test(test_relative_steps_are_the_papers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
