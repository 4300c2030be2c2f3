#include "reformer/error.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <string.h>

static rf_status fail_deep(void) { return rf_fail(RF_BAD_DATA, "file %s ends at byte %d", "a.bin", 7); }

static rf_status pass_once(void) {
  RF_TRY(fail_deep());
  return RF_OK;
}

static rf_status pass_twice(void) {
  RF_TRY(pass_once());
  return RF_OK;
}

static void test_a_failure_keeps_its_status_and_message_on_the_way_up(void **state) {
  (void)state;
  assert_int_equal(pass_twice(), RF_BAD_DATA);
  assert_string_equal(rf_error_message(), "file a.bin ends at byte 7");
}

static void test_the_trace_names_each_return_and_starts_anew_with_each_failure(void **state) {
  (void)state;
  assert_int_equal(pass_twice(), RF_BAD_DATA);
  const char *arrow = strstr(rf_error_trace(), " < ");
  assert_non_null(arrow);
  assert_null(strstr(arrow + 1, " < "));
  assert_non_null(strstr(rf_error_trace(), "test_error.c:"));
  assert_int_equal(fail_deep(), RF_BAD_DATA);
  assert_string_equal(rf_error_trace(), "");
}

static void test_context_stands_in_front_of_the_message(void **state) {
  (void)state;
  rf_status status = rf_fail(RF_BAD_CONFIG, "found 3");
  assert_int_equal(rf_context(status, "a.yaml:%d", 12), RF_BAD_CONFIG);
  assert_string_equal(rf_error_message(), "a.yaml:12: found 3");
}

static void test_context_of_success_changes_nothing(void **state) {
  (void)state;
  (void)rf_fail(RF_FAILED, "before");
  assert_int_equal(rf_context(RF_OK, "after"), RF_OK);
  assert_string_equal(rf_error_message(), "before");
}

static void test_a_message_may_be_made_from_the_present_message(void **state) {
  (void)state;
  (void)rf_fail(RF_FAILED, "inner");
  (void)rf_fail(RF_FAILED, "outer (%s)", rf_error_message());
  assert_string_equal(rf_error_message(), "outer (inner)");
}

static void test_a_message_too_long_is_cut_at_its_end(void **state) {
  (void)state;
  static char longest[9000];
  memset(longest, 'x', sizeof longest - 1);
  (void)rf_fail(RF_FAILED, "%s", longest);
  size_t length = strlen(rf_error_message());
  assert_in_range(length, 1000, sizeof longest - 1);
  (void)rf_context(RF_FAILED, "the place");
  assert_int_equal(strlen(rf_error_message()), length);
  assert_memory_equal(rf_error_message(), "the place: xxx", 14);
  for (int i = 0; i < 1000; i++) (void)rf_error_pass(RF_FAILED, "src/base/error.c", i);
  assert_memory_equal(rf_error_trace(), "src/base/error.c:0 < src/base/error.c:1 ", 40);
}

static void *fail_elsewhere(void *unused) {
  (void)unused;
  (void)rf_fail(RF_FAILED, "of the other thread");
  return NULL;
}

static void test_each_thread_has_its_own_message(void **state) {
  (void)state;
  (void)rf_fail(RF_FAILED, "of this thread");
  pthread_t thread;
  assert_int_equal(pthread_create(&thread, NULL, fail_elsewhere, NULL), 0);
  assert_int_equal(pthread_join(thread, NULL), 0);
  assert_string_equal(rf_error_message(), "of this thread");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_failure_keeps_its_status_and_message_on_the_way_up),
      cmocka_unit_test(test_the_trace_names_each_return_and_starts_anew_with_each_failure),
      cmocka_unit_test(test_context_stands_in_front_of_the_message),
      cmocka_unit_test(test_context_of_success_changes_nothing),
      cmocka_unit_test(test_a_message_may_be_made_from_the_present_message),
      cmocka_unit_test(test_a_message_too_long_is_cut_at_its_end),
      cmocka_unit_test(test_each_thread_has_its_own_message),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
