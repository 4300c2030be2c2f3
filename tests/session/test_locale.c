/* A program that speaks as its user does, setlocale(LC_ALL, ""), where decimals have a comma: numbers keep their point.
 */
#include "base/text.h"
#include "checkpoint/folder.h"
#include "plan/json_file.h"
#include "reformer/config_file.h"
#include "reformer/log.h"
#include "reformer/session.h"
#include <jansson.h>
#include <locale.h>
#include <math.h>
#include <string.h>

static const char text[] =
    "model: {vocab_size: 128, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16, init_std: 0.0625,\n"
    "        attention: local, positions: learned}\n"
    "local: {chunk: 8}\n"
    "data: {kind: duplicate, length: 32}\n"
    "training: {steps: 4, batch: 2, seed: 3, eval_batches: 1, memory_limit: 0}\n"
    "optimizer: {warmup: 2}\n";

/* *state: a folder, with the locale in it. Where it cannot be made nothing is tested. */
static int set_up(void **state) {
  char command[256];
  static char folder[64];
  snprintf(folder, sizeof folder, "%s", folder_make());
  *state = folder;
  snprintf(command, sizeof command, "localedef -i de_DE -f UTF-8 %s/de_DE.UTF-8 2>/dev/null", folder);
  const bool made = system(command) == 0;
  if (!made || setenv("LOCPATH", folder, 1) != 0 || setenv("LC_ALL", "de_DE.UTF-8", 1) != 0)
    (void)printf("skipped: no locale with decimal commas: localedef makes no de_DE.UTF-8 here\n");
  return 0;
}

static int tear_down(void **state) {
  folder_remove(*state);
  return 0;
}

/* Whether the numbers of this program have commas from now on. */
static bool speak_german(void) {
  char shown[16];
  if (!setlocale(LC_ALL, "")) return false;
  snprintf(shown, sizeof shown, "%.1f", 0.5);
  return strcmp(shown, "0,5") == 0;
}
#define SPEAK_GERMAN()                                                                                                 \
  if (!speak_german()) skip()

static rf_session *session_of(void) {
  rf_config config;
  rf_session *session;
  assert_ok(rf_config_parse("test", text, strlen(text), NULL, 0, &config));
  assert_ok(rf_session_create(&config, NULL, &session));
  return session;
}

static double step(rf_session *session) {
  rf_step_result result;
  assert_ok(rf_session_step(session, &result));
  return rf_loss_mean(&result.loss);
}

static void test_what_was_made_before_setlocale_is_saved_as_all_can_read_it(void **state) {
  rf_checkpoint *checkpoint;
  const char *path = folder_path(*state, "before");
  (void)setlocale(LC_ALL, "C");
  rf_session *session = session_of();
  SPEAK_GERMAN();
  (void)step(session);
  assert_ok(rf_session_save(session, path));
  (void)setlocale(LC_ALL, "C");
  assert_ok(rf_checkpoint_open(path, &checkpoint));
  const char *config = rf_checkpoint_info_of(checkpoint)->header.config;
  if (!strstr(config, "init_std: 0.0625\n")) fail_msg("%s", config);
  rf_checkpoint_close(checkpoint);
  rf_session *other = session_of();
  assert_ok(rf_session_load(other, path));
  assert_true(step(other) == step(session));
  rf_session_destroy(other);
  rf_session_destroy(session);
}

static void test_with_setlocale_first_everything_works_as_well(void **state) {
  const char *path = folder_path(*state, "first");
  SPEAK_GERMAN();
  rf_session *session = session_of(), *other = session_of();
  assert_true(rf_session_config(session)->model.init_std == 0.0625);
  (void)step(session);
  assert_ok(rf_session_save(session, path));
  assert_ok(rf_session_load(other, path));
  assert_true(step(other) == step(session));
  rf_session_destroy(other);
  rf_session_destroy(session);
}

static void test_messages_and_the_log_have_points(void **state) {
  char line[64] = "";
  rf_config config;
  const char *const set = "model.init_std=-0.5", *path = folder_path(*state, "log.txt");
  SPEAK_GERMAN();
  assert_int_equal(rf_config_parse("test", text, strlen(text), &set, 1, &config), RF_BAD_CONFIG);
  assert_null(strchr(rf_error_message(), ','));
  assert_int_equal(rf_fail(RF_FAILED, "%.2f", 1.25), RF_FAILED);
  assert_int_equal(rf_context(RF_FAILED, "%.2f", 2.25), RF_FAILED);
  assert_string_equal(rf_error_message(), "2.25: 1.25");
  rf_log_set_silent(true);
  assert_ok(rf_log_open(path));
  rf_log_info("%.2f", 1.25);
  assert_ok(rf_log_close());
  rf_log_set_silent(false);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_non_null(fgets(line, sizeof line, file));
  assert_string_equal(line, "1.25\n");
  (void)fclose(file);
}

static void test_the_programs_own_locale_stays(void **state) {
  (void)state;
  char shown[32];
  double number;
  SPEAK_GERMAN();
  assert_string_equal(rf_text_real(0.1, shown, sizeof shown), "0.1");
  assert_string_equal(rf_text_number("2.5 cm", &number), " cm");
  assert_true(number == 2.5);
  snprintf(shown, sizeof shown, "%.1f", 0.5);
  assert_string_equal(shown, "0,5");
}

/* jansson minds it by itself. */
static void test_json_has_points(void **state) {
  int64_t size;
  const char *path = folder_path(*state, "numbers.json");
  SPEAK_GERMAN();
  assert_ok(rf_json_file_write(json_pack("{s:f}", "x", 0.5), path));
  unsigned char *written = file_read(path, &size);
  assert_non_null(strstr((const char *)written, "\"x\": 0.5"));
  json_t *read = json_loads((const char *)written, 0, NULL);
  assert_true(json_real_value(json_object_get(read, "x")) == 0.5);
  json_decref(read);
  free(written);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_was_made_before_setlocale_is_saved_as_all_can_read_it),
      cmocka_unit_test(test_with_setlocale_first_everything_works_as_well),
      cmocka_unit_test(test_messages_and_the_log_have_points),
      cmocka_unit_test(test_the_programs_own_locale_stays),
      cmocka_unit_test(test_json_has_points),
  };
  return cmocka_run_group_tests(tests, set_up, tear_down);
}
