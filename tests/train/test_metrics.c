#include "train/metrics.h"
#include "base/fault_io.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
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
  assert_int_equal(rf_metrics_close(metrics), RF_OK);
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
    assert_int_equal(rf_metrics_close(metrics), RF_OK);
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
  assert_int_equal(rf_metrics_close(metrics), RF_OK);
  json_t *object = parse_line(path_of("nan.jsonl"), 0);
  assert_true(json_is_null(json_object_get(object, "loss")));
  assert_true(json_is_null(json_object_get(object, "grad_norm")));
  assert_true(json_is_true(json_object_get(object, "skipped")));
  json_decref(object);
}

static void test_lines_that_a_full_disk_does_not_take_wait_and_are_missed_at_the_end(void **state) {
  (void)state;
  rf_metrics *metrics;
  assert_int_equal(rf_metrics_open("/dev/full", &metrics), RF_OK);
  for (int i = 0; i < 2; i++) assert_int_equal(rf_metrics_write(metrics, &record), RF_OK);
  assert_int_equal(rf_metrics_close(metrics), RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "/dev/full"));
}

static void test_a_file_that_cannot_be_opened_is_named(void **state) {
  (void)state;
  rf_metrics *metrics;
  assert_int_equal(rf_metrics_open(path_of("none/metrics.jsonl"), &metrics), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "none/metrics.jsonl"));
  assert_null(metrics);
}

/* Records of steps first to last into a file that is not open. */
static void write_steps(const char *path, int64_t first, int64_t last, int64_t skipped) {
  rf_metrics *metrics;
  assert_int_equal(rf_metrics_open(path, &metrics), RF_OK);
  for (int64_t step = first; step <= last; step++) {
    rf_metrics_record line = record;
    line.step = step;
    line.skipped = step == skipped || step == skipped + 1;
    assert_int_equal(rf_metrics_write(metrics, &line), RF_OK);
  }
  assert_int_equal(rf_metrics_close(metrics), RF_OK);
}

static void append_text(const char *path, const char *text) {
  FILE *file = fopen(path, "a");
  assert_non_null(file);
  assert_true(fputs(text, file) >= 0);
  assert_int_equal(fclose(file), 0);
}

static void check_steps(const char *path, int64_t last) {
  for (int64_t step = 1; step <= last; step++) {
    json_t *object = parse_line(path, (int)step - 1);
    assert_int_equal(json_integer_value(json_object_get(object, "step")), step);
    json_decref(object);
  }
  FILE *file = fopen(path, "r");
  int64_t lines = 0;
  for (int c; (c = fgetc(file)) != EOF;) lines += c == '\n';
  (void)fclose(file);
  assert_int_equal(lines, last);
}

static void test_later_steps_and_a_torn_line_are_cut_off_and_the_rest_stays(void **state) {
  (void)state;
  const char *path = path_of("cut.jsonl");
  int64_t skipped;
  write_steps(path, 1, 9, -2);
  append_text(path, "{\"step\":10,\"loss\":1.");
  assert_int_equal(rf_metrics_cut(path, 20, &skipped), RF_OK);
  check_steps(path, 9);
  assert_int_equal(rf_metrics_cut(path, 6, &skipped), RF_OK);
  check_steps(path, 6);
  write_steps(path, 7, 8, -2);
  check_steps(path, 8);
  append_text(path, "not JSON\n{\"step\":3}\n");
  assert_int_equal(rf_metrics_cut(path, 8, &skipped), RF_OK);
  check_steps(path, 8);
  assert_int_equal(access(path_of("cut.jsonl.tmp"), F_OK), -1);
  assert_int_equal(rf_metrics_cut(path_of("none.jsonl"), 8, &skipped), RF_OK);
}

static void test_steps_skipped_in_a_row_are_counted_up_to_the_cut(void **state) {
  (void)state;
  const char *path = path_of("skipped.jsonl");
  const int64_t expected[] = {0, 0, 1, 2, 0};
  write_steps(path, 1, 9, 6);
  for (int64_t step = 8, i = 4; step >= 4; step--, i--) {
    int64_t skipped = -1;
    assert_int_equal(rf_metrics_cut(path, step, &skipped), RF_OK);
    assert_int_equal(skipped, expected[i]);
  }
}

#ifdef RF_FAULTS
static void test_a_cut_that_the_disk_fails_at_any_call_loses_no_line(void **state) {
  (void)state;
  const char *path = path_of("faults.jsonl");
  int failures = 0;
  int64_t skipped;
  write_steps(path, 1, 5, -2);
  append_text(path, "torn");
  for (int64_t k = 1;; k++) {
    rf_fault_io_arm(k, k, EIO);
    const rf_status status = rf_metrics_cut(path, 5, &skipped);
    const bool passed = rf_fault_io_calls() < k;
    rf_fault_io_arm(0, 0, 0);
    if (passed) break;
    failures += status != RF_OK;
    json_t *object = parse_line(path, 4);
    assert_int_equal(json_integer_value(json_object_get(object, "step")), 5);
    json_decref(object);
    append_text(path, "torn");
  }
  assert_true(failures >= 4); /* made, written, synced, renamed */
  check_steps(path, 5);
}
#endif

static void test_a_cut_goes_where_a_link_leads_and_waits_for_no_pipe(void **state) {
  (void)state;
  char target[256];
  struct stat about;
  int64_t skipped;
  (void)snprintf(target, sizeof target, "%s", path_of("elsewhere.jsonl"));
  write_steps(target, 1, 9, -2);
  assert_int_equal(symlink("elsewhere.jsonl", path_of("link.jsonl")), 0);
  assert_int_equal(rf_metrics_cut(path_of("link.jsonl"), 6, &skipped), RF_OK);
  check_steps(target, 6);
  assert_int_equal(lstat(path_of("link.jsonl"), &about), 0);
  assert_true(S_ISLNK(about.st_mode));
  assert_int_equal(mkfifo(path_of("pipe.jsonl"), 0666), 0);
  assert_int_equal(rf_metrics_cut(path_of("pipe.jsonl"), 6, &skipped), RF_FAILED);
  assert_int_equal(rf_metrics_cut("/dev/null", 6, &skipped), RF_OK);
}

/* The limit on a file's size stands for a disk that is full for a while. */
static void test_lines_that_waited_for_a_disk_come_whole_and_in_order(void **state) {
  (void)state;
  const char *path = path_of("waited.jsonl");
  struct rlimit before, few;
  rf_metrics *metrics;
  assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
  few = before;
  few.rlim_cur = 1000; /* in the middle of a line */
  (void)signal(SIGXFSZ, SIG_IGN);
  assert_int_equal(rf_metrics_open(path, &metrics), RF_OK);
  for (int64_t step = 1; step <= 9; step++) {
    rf_metrics_record line = record;
    line.step = step;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, step < 6 ? &few : &before), 0);
    assert_int_equal(rf_metrics_write(metrics, &line), RF_OK);
    if (step == 5) {
      struct stat about;
      assert_int_equal(stat(path, &about), 0);
      assert_int_equal(about.st_size, 1000);
    }
  }
  assert_int_equal(rf_metrics_close(metrics), RF_OK);
  check_steps(path, 9);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_line_is_on_disk_at_once_and_reads_back_to_the_bit),
      cmocka_unit_test(test_an_evaluation_step_has_its_figures_and_lines_are_appended),
      cmocka_unit_test(test_what_is_not_finite_is_null),
      cmocka_unit_test(test_lines_that_a_full_disk_does_not_take_wait_and_are_missed_at_the_end),
      cmocka_unit_test(test_a_file_that_cannot_be_opened_is_named),
      cmocka_unit_test(test_later_steps_and_a_torn_line_are_cut_off_and_the_rest_stays),
      cmocka_unit_test(test_steps_skipped_in_a_row_are_counted_up_to_the_cut),
      cmocka_unit_test(test_a_cut_goes_where_a_link_leads_and_waits_for_no_pipe),
#ifdef RF_FAULTS
      cmocka_unit_test(test_a_cut_that_the_disk_fails_at_any_call_loses_no_line),
#endif
      cmocka_unit_test(test_lines_that_waited_for_a_disk_come_whole_and_in_order),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
