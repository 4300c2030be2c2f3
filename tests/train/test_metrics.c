#include "train/metrics.h"
#include "train/run_folder.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/reformer-test-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf %s", folder);
  return system(command);
}

static const char *path_of(const char *name) {
  static char path[256];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  return path;
}

static const rf_metrics_record record = {.step = 7,
                                         .loss = 1.0 / 3,
                                         .bits_per_token = 0.48,
                                         .accuracy = 0.25,
                                         .learning_rate = 1e-3,
                                         .grad_norm = 2.5,
                                         .tokens_per_second = 3300,
                                         .step_seconds = 0.5,
                                         .bytes = {[RF_TRAFFIC_ROWS] = INT64_C(5000000000)},
                                         .peak_rss_bytes = INT64_C(9000000000)};

/* Line i (from 0) of a file, without its end; the lines before it are read over. */
static json_t *parse_line(const char *path, int i) {
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  char line[4096] = "";
  for (int k = 0; k <= i; k++) assert_non_null(fgets(line, sizeof line, file));
  (void)fclose(file);
  assert_int_equal(line[strlen(line) - 1], '\n');
  json_error_t error;
  json_t *object = json_loads(line, 0, &error);
  if (!object) print_error("%s: %s\n", line, error.text);
  assert_non_null(object);
  return object;
}

static double real_of(json_t *object, const char *name) {
  json_t *value = json_object_get(object, name);
  assert_true(json_is_number(value));
  return json_number_value(value);
}

static void test_a_line_is_on_disk_at_once_and_reads_back_to_the_bit(void **state) {
  (void)state;
  rf_metrics *metrics;
  assert_int_equal(rf_metrics_open(path_of("metrics.jsonl"), &metrics), RF_OK);
  assert_int_equal(rf_metrics_write(metrics, &record), RF_OK);
  json_t *object = parse_line(path_of("metrics.jsonl"), 0); /* while the file is still open */
  assert_int_equal(json_integer_value(json_object_get(object, "step")), 7);
  assert_true(real_of(object, "loss") == 1.0 / 3);
  assert_true(real_of(object, "bits_per_token") == 0.48);
  assert_true(real_of(object, "accuracy") == 0.25);
  assert_true(real_of(object, "learning_rate") == 1e-3);
  assert_true(real_of(object, "grad_norm") == 2.5);
  assert_true(real_of(object, "tokens_per_second") == 3300);
  assert_true(real_of(object, "step_seconds") == 0.5);
  assert_int_equal(json_integer_value(json_object_get(object, "peak_rss_bytes")), INT64_C(9000000000));
  assert_true(json_is_false(json_object_get(object, "skipped")));
  json_t *bytes = json_object_get(object, "bytes");
  assert_int_equal(json_object_size(bytes), RF_TRAFFIC_PURPOSES);
  assert_int_equal(json_integer_value(json_object_get(bytes, "rows")), INT64_C(5000000000));
  assert_int_equal(json_integer_value(json_object_get(bytes, "gradients")), 0);
  assert_null(json_object_get(object, "eval_loss"));
  json_decref(object);
  rf_metrics_close(metrics);
}

static void test_an_evaluation_step_has_its_figures_and_lines_are_appended(void **state) {
  (void)state;
  rf_metrics_record evaluated = record;
  evaluated.evaluated = true;
  evaluated.eval_loss = 1.5;
  evaluated.eval_bits_per_token = 2.16;
  evaluated.eval_accuracy = 0.5;
  for (int opened = 0; opened < 2; opened++) {
    rf_metrics *metrics;
    assert_int_equal(rf_metrics_open(path_of("twice.jsonl"), &metrics), RF_OK);
    assert_int_equal(rf_metrics_write(metrics, opened == 0 ? &record : &evaluated), RF_OK);
    rf_metrics_close(metrics);
  }
  json_t *object = parse_line(path_of("twice.jsonl"), 1);
  assert_true(real_of(object, "eval_loss") == 1.5);
  assert_true(real_of(object, "eval_bits_per_token") == 2.16);
  assert_true(real_of(object, "eval_accuracy") == 0.5);
  json_decref(object);
}

static void test_what_is_not_finite_is_null(void **state) {
  (void)state;
  rf_metrics_record skipped = record;
  skipped.skipped = true;
  skipped.loss = NAN;
  skipped.grad_norm = INFINITY;
  rf_metrics *metrics;
  assert_int_equal(rf_metrics_open(path_of("nan.jsonl"), &metrics), RF_OK);
  assert_int_equal(rf_metrics_write(metrics, &skipped), RF_OK);
  rf_metrics_close(metrics);
  json_t *object = parse_line(path_of("nan.jsonl"), 0);
  assert_true(json_is_null(json_object_get(object, "loss")));
  assert_true(json_is_null(json_object_get(object, "grad_norm")));
  assert_true(json_is_true(json_object_get(object, "skipped")));
  json_decref(object);
}

static void test_a_full_disk_is_an_error(void **state) {
  (void)state;
  rf_metrics *metrics;
  assert_int_equal(rf_metrics_open("/dev/full", &metrics), RF_OK);
  assert_int_equal(rf_metrics_write(metrics, &record), RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "/dev/full"));
  rf_metrics_close(metrics);
}

static void test_a_file_that_cannot_be_opened_is_named(void **state) {
  (void)state;
  rf_metrics *metrics;
  assert_int_equal(rf_metrics_open(path_of("none/metrics.jsonl"), &metrics), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "none/metrics.jsonl"));
  assert_null(metrics);
}

static void test_a_run_folder_is_made_with_its_parents_and_holds_the_configuration(void **state) {
  (void)state;
  char made[256], text[64] = "";
  assert_int_equal(rf_run_folder_create(path_of("a/b/c/"), "x.yaml", "model: {}\n", made, sizeof made), RF_OK);
  assert_string_equal(made, path_of("a/b/c"));
  FILE *file = fopen(path_of("a/b/c/config.yaml"), "r");
  assert_non_null(file);
  assert_non_null(fgets(text, sizeof text, file));
  (void)fclose(file);
  assert_string_equal(text, "model: {}\n");
}

static void test_a_folder_that_holds_a_run_is_refused(void **state) {
  (void)state;
  char made[256];
  assert_int_equal(mkdir(path_of("empty"), 0777), 0);
  assert_int_equal(rf_run_folder_create(path_of("empty"), "x.yaml", "", made, sizeof made), RF_OK);
  assert_int_equal(rf_run_folder_create(path_of("empty"), "x.yaml", "", made, sizeof made), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "--run"));
}

static void test_runs_without_a_name_are_numbered_from_one(void **state) {
  (void)state;
  char made[256], before[4096];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(folder), 0);
  assert_int_equal(rf_run_folder_create(NULL, "../configs/small.v2.yaml", "", made, sizeof made), RF_OK);
  assert_string_equal(made, "runs/small.v2-1");
  assert_int_equal(rf_run_folder_create(NULL, "small.v2.yaml", "", made, sizeof made), RF_OK);
  assert_string_equal(made, "runs/small.v2-2");
  assert_int_equal(chdir(before), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_line_is_on_disk_at_once_and_reads_back_to_the_bit),
      cmocka_unit_test(test_an_evaluation_step_has_its_figures_and_lines_are_appended),
      cmocka_unit_test(test_what_is_not_finite_is_null),
      cmocka_unit_test(test_a_full_disk_is_an_error),
      cmocka_unit_test(test_a_file_that_cannot_be_opened_is_named),
      cmocka_unit_test(test_a_run_folder_is_made_with_its_parents_and_holds_the_configuration),
      cmocka_unit_test(test_a_folder_that_holds_a_run_is_refused),
      cmocka_unit_test(test_runs_without_a_name_are_numbered_from_one),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
