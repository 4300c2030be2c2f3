/* One grammar for the names of a run's checkpoints. */
#include "checkpoint/names.h"
#include "checkpoint/folder.h"
#include <errno.h>

static void test_every_step_has_one_name_and_reads_back(void **state) {
  (void)state;
  static const struct {
    int64_t step;
    const char *name;
  } cases[] = {{0, "step-00000000"},
               {7, "step-00000007"},
               {99999999, "step-99999999"},
               {100000000, "step-100000000"},
               {INT64_MAX, "step-9223372036854775807"}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    char name[RF_STEP_NAME];
    int64_t step = -1;
    assert_string_equal(rf_step_name(cases[i].step, name), cases[i].name);
    const char *rest = rf_step_read(name, &step);
    assert_non_null(rest);
    assert_string_equal(rest, "");
    assert_int_equal(step, cases[i].step);
    assert_int_equal(rf_step_of_path(name), cases[i].step);
    assert_int_equal(rf_step_of_path(folder_path("runs/a/step-00000001", folder_path(name, "/"))), cases[i].step);
  }
}

static void test_no_other_name_is_a_steps(void **state) {
  (void)state;
  static const char *const names[] = {"",
                                      "step",
                                      "step-",
                                      "step-10",
                                      "step-0000010",
                                      "step-000000010",
                                      "step-+0000010",
                                      "step--0000010",
                                      "step- 0000010",
                                      "Step-00000010",
                                      "step-9223372036854775808",
                                      "step-99999999999999999999"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    int64_t step;
    errno = 0;
    if (rf_step_read(names[i], &step)) fail_msg("'%s' is step %lld", names[i], (long long)step);
    assert_int_equal(rf_step_of_path(names[i]), -1);
    assert_int_equal(errno, 0);
  }
  assert_int_equal(rf_step_of_path("step-00000010.damaged-x"), -1);
  assert_int_equal(rf_step_of_path("step-00000010/manifest.h5"), -1);
  assert_int_equal(rf_step_of_path("/"), -1);
}

static void test_what_is_unfinished_is_told_from_what_is_kept_aside(void **state) {
  (void)state;
  static const struct {
    const char *name;
    bool unfinished;
  } cases[] = {{"step-00000010.tmp-0123456789abcdef", true},
               {"step-00000010.deleting", true},
               {"step-00000010", false},
               {"step-00000010.damaged-0123456789abcdef", false},
               {"step-00000010.superseded-0123456789abcdef", false},
               {"step-10.tmp-0123456789abcdef", false}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    int64_t step = -1;
    if (rf_step_is_unfinished(cases[i].name, &step) != cases[i].unfinished) fail_msg("%s", cases[i].name);
    if (cases[i].unfinished) assert_int_equal(step, 10);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_every_step_has_one_name_and_reads_back),
    cmocka_unit_test(test_no_other_name_is_a_steps),
    cmocka_unit_test(test_what_is_unfinished_is_told_from_what_is_kept_aside),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
