/* Settings that only fill a gap, and text as editors of other systems write it. */
#include "config/schema.h"
#include "reformer/config_file.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static rf_status parse(const char *text, int n, const char *const *sets, rf_config *config) {
  const rf_status status = rf_config_parse("a.yaml", text, strlen(text), sets, n, config);
  if (status != RF_OK) print_error("%s: %s\n", text, rf_error_message());
  return status;
}

/* What a step may take where the file is `text`, with `training.step_timeout?=1800` last. */
static double timeout(const char *text, const char *set) {
  const char *const sets[] = {set ? set : "training.steps=7", "data.kind=duplicate", "training.step_timeout?=1800"};
  rf_config config;
  assert_int_equal(parse(text, 3, sets, &config), RF_OK);
  return config.training.step_timeout;
}

static void test_a_setting_with_a_question_mark_leaves_what_is_given(void **state) {
  (void)state;
  static const char *const given[] = {"training: {step_timeout: 0}", "training.step_timeout: 0",
                                      "{\"training\": {\"step_timeout\": 0}}", "training:\n  step_timeout: 0.0\n",
                                      "training: &t\n  ? step_timeout\n  : 0\n"};
  for (size_t i = 0; i < sizeof given / sizeof *given; i++) assert_true(timeout(given[i], NULL) == 0);
  assert_true(timeout("training: {steps: 3}", "training.step_timeout=0") == 0);
  assert_true(timeout("training: {steps: 3}", "training={step_timeout: 0}") == 0);
  assert_true(timeout("training: {step_timeout: 3}", "training.step_timeout=60") == 60);
  assert_true(timeout("training: {steps: 3}", NULL) == 1800);
  assert_true(timeout("model: {d_model: 64}", NULL) == 1800);
}

/* Key by key, where it names a section, or a section's kind by the section alone. */
static void test_a_setting_with_a_question_mark_fills_a_section(void **state) {
  (void)state;
  const char *text = "data: duplicate\ntraining: {steps: 7}\nmodel: {positions: rotary}";
  const char *const sets[] = {"training?={steps: 3, batch: 5}", "model.positions?=none", "data?=bytes",
                              "lsh?={chunk: 32}", "lsh.chunk?=16"};
  rf_config config;
  assert_int_equal(parse(text, 5, sets, &config), RF_OK);
  assert_int_equal(config.training.steps, 7);
  assert_int_equal(config.training.batch, 5);
  assert_int_equal(config.model.positions.kind, RF_POSITIONS_ROTARY);
  assert_int_equal(config.data.kind, RF_DATA_DUPLICATE);
  assert_int_equal(config.lsh.chunk, 32);
}

static void test_a_setting_with_a_question_mark_is_a_setting(void **state) {
  (void)state;
  const char *text = "model: {d_model: 64}";
  rf_config config;
  const char *unknown = "training.step_timeot?=3", *wrong = "training.step_timeout?=soon";
  assert_int_equal(rf_config_parse("a.yaml", text, strlen(text), &unknown, 1, &config), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "training.step_timeout"));
  assert_int_equal(rf_config_parse("a.yaml", text, strlen(text), &wrong, 1, &config), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "or auto"));
}

static void test_an_automatic_timeout_stays_so(void **state) {
  (void)state;
  rf_config config;
  char *text;
  assert_int_equal(parse("data: {kind: duplicate}\ntraining: {step_timeout: auto}", 0, NULL, &config), RF_OK);
  assert_true(isnan(config.training.step_timeout));
  assert_int_equal(rf_config_emit(&config, &text), RF_OK);
  assert_non_null(strstr(text, "step_timeout: auto"));
  assert_int_equal(parse(text, 0, NULL, &config), RF_OK);
  assert_true(isnan(config.training.step_timeout));
  free(text);
}

static void test_line_ends_and_byte_order_marks_of_other_systems_say_nothing(void **state) {
  (void)state;
  static const char plain[] = "# small\nmodel:\n  d_model: 96\n  n_heads: 3\n  attention:\n  - local\n  - lsh\n\n"
                              "data: {kind: bytes, path: some text.txt}\noutput:\n  sample_prompt: In\n";
  char windows[2 * sizeof plain + 8] = "\xef\xbb\xbf", *end = windows + 3;
  for (const char *c = plain; *c; c++) {
    if (*c == '\n') *end++ = '\r';
    *end++ = *c;
  }
  end -= 2; /* nor does the last line need an end */
  *end = '\0';
  const char *sets[] = {"training.steps=7\r", "data.path=a.txt\r\n"};
  for (int n = 0; n <= 2; n += 2) {
    rf_config one, other;
    char *text_of_one, *text_of_other;
    assert_int_equal(parse(plain, n, (const char *const[]){"training.steps=7", "data.path=a.txt"}, &one), RF_OK);
    assert_int_equal(parse(windows, n, sets, &other), RF_OK);
    assert_int_equal(rf_config_emit(&one, &text_of_one), RF_OK);
    assert_int_equal(rf_config_emit(&other, &text_of_other), RF_OK);
    assert_string_equal(text_of_one, text_of_other);
    free(text_of_one);
    free(text_of_other);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_setting_with_a_question_mark_leaves_what_is_given),
      cmocka_unit_test(test_a_setting_with_a_question_mark_fills_a_section),
      cmocka_unit_test(test_a_setting_with_a_question_mark_is_a_setting),
      cmocka_unit_test(test_an_automatic_timeout_stays_so),
      cmocka_unit_test(test_line_ends_and_byte_order_marks_of_other_systems_say_nothing),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
