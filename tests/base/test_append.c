/* Files that are removed, replaced and moved under those who add lines to them. */
#include "base/append.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char home[] = "/tmp/reformer-test-XXXXXX";

static int go_to_folder(void **state) {
  (void)state;
  return mkdtemp(home) && chdir(home) == 0 ? mkdir("run", 0777) : -1;
}

static int remove_folder(void **state) {
  (void)state;
  char command[64];
  (void)snprintf(command, sizeof command, "rm -rf %s", home);
  return chdir("/") == 0 ? system(command) : -1;
}

static void add(rf_append *append, const char *text) {
  assert_int_equal(write(append->file, text, strlen(text)), strlen(text));
}

static void assert_holds(const char *path, const char *text) {
  char found[64] = "";
  FILE *file = fopen(path, "r");
  if (!file) fail_msg("%s is not there", path);
  (void)fread(found, 1, sizeof found - 1, file);
  (void)fclose(file);
  assert_string_equal(found, text);
}

static void test_lines_go_on_in_a_new_file_where_the_old_one_has_gone(void **state) {
  (void)state;
  rf_append append;
  assert_int_equal(rf_append_open("run/log.txt", &append), RF_OK);
  add(&append, "a");
  const int number = append.file;
  assert_false(rf_append_renew(&append));
  assert_int_equal(rename("run/log.txt", "run/log.txt.1"), 0); /* as logrotate does */
  assert_true(rf_append_renew(&append));
  assert_int_equal(append.file, number);
  assert_false(rf_append_renew(&append));
  add(&append, "b");
  assert_int_equal(rename("run/log.txt", "run/log.txt.2"), 0);
  FILE *other = fopen("run/log.txt", "w"); /* and makes the next one itself */
  assert_non_null(other);
  (void)fputs("!", other);
  assert_int_equal(fclose(other), 0);
  assert_true(rf_append_renew(&append));
  add(&append, "c");
  assert_holds("run/log.txt.1", "a");
  assert_holds("run/log.txt.2", "b");
  assert_holds("run/log.txt", "!c");
  assert_int_equal(unlink("run/log.txt"), 0);
  assert_true(rf_append_renew(&append));
  add(&append, "d");
  assert_holds("run/log.txt", "d");
  assert_int_equal(rf_append_close(&append), RF_OK);
}

static void test_a_folder_that_was_moved_is_followed_and_not_its_name(void **state) {
  (void)state;
  rf_append append;
  assert_int_equal(rf_append_open("run/metrics", &append), RF_OK);
  add(&append, "a");
  assert_int_equal(rename("run", "away"), 0);
  assert_int_equal(mkdir("run", 0777), 0); /* another run's */
  assert_false(rf_append_renew(&append));
  assert_int_equal(unlink("away/metrics"), 0);
  assert_true(rf_append_renew(&append));
  add(&append, "b");
  assert_holds("away/metrics", "b");
  assert_int_equal(access("run/metrics", F_OK), -1);
  assert_int_equal(system("rm -r away"), 0);
  assert_false(rf_append_renew(&append));
  add(&append, "c"); /* to nowhere, but without a failure */
  assert_int_equal(rf_append_close(&append), RF_OK);
}

static void test_only_files_and_devices_are_written_to(void **state) {
  (void)state;
  rf_append append;
  assert_int_equal(mkfifo("pipe", 0666), 0);
  assert_int_equal(rf_append_open("pipe", &append), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "pipe: it is not a plain file"));
  assert_int_equal(rf_append_open("nowhere/log.txt", &append), RF_BAD_CONFIG);
  assert_int_equal(rf_append_open("run", &append), RF_BAD_CONFIG);
  assert_int_equal(rf_append_open("/dev/null", &append), RF_OK);
  assert_false(rf_append_renew(&append));
  assert_int_equal(rf_append_close(&append), RF_OK);
  assert_int_equal(rf_append_open("here", &append), RF_OK);
  assert_int_equal(rf_append_close(&append), RF_OK);
  assert_int_equal(access("here", F_OK), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lines_go_on_in_a_new_file_where_the_old_one_has_gone),
      cmocka_unit_test(test_a_folder_that_was_moved_is_followed_and_not_its_name),
      cmocka_unit_test(test_only_files_and_devices_are_written_to),
  };
  return cmocka_run_group_tests(tests, go_to_folder, remove_folder);
}
