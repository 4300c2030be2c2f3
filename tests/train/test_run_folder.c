/* Who may begin or go on with a run in a folder, and what is in it then. */
#include "train/run_folder.h"
#include "base/fault_io.h"
#include "support/files.h"
#include <errno.h>
#include <sys/wait.h>

static char work[] = "/tmp/reformer-test-XXXXXX";

static int make_work(void **state) {
  (void)state;
  return mkdtemp(work) ? 0 : -1;
}

static int remove_work(void **state) {
  (void)state;
  char command[128];
  (void)snprintf(command, sizeof command, "rm -rf %s", work);
  return system(command);
}

static const char *path_of(const char *name) {
  static char path[256];
  (void)snprintf(path, sizeof path, "%s/%s", work, name);
  return path;
}

static void check_config(const rf_run_folder *folder, const char *expected) {
  char path[RF_MAX_PATH], text[64] = "";
  assert_int_equal(rf_run_folder_path(folder->path, "config.yaml", path), RF_OK);
  FILE *file = fopen(path, "r");
  assert_non_null(file);
  assert_non_null(fgets(text, sizeof text, file));
  (void)fclose(file);
  assert_string_equal(text, expected);
}

static rf_status make_and_begin(rf_run_folder *folder, const char *config_file, const char *text) {
  RF_TRY(rf_run_folder_make(folder, config_file));
  return rf_run_folder_begin(folder, text);
}

static void test_a_folder_is_made_with_its_parents_and_holds_the_configuration(void **state) {
  (void)state;
  rf_run_folder folder;
  assert_int_equal(rf_run_folder_open(path_of("a/b/c/"), &folder), RF_OK);
  assert_string_equal(folder.path, path_of("a/b/c"));
  assert_false(folder.holds_run);
  assert_int_equal(access(path_of("a"), F_OK), -1); /* looking makes nothing */
  assert_int_equal(make_and_begin(&folder, "x.yaml", "model: {}\n"), RF_OK);
  check_config(&folder, "model: {}\n");
  rf_run_folder_close(&folder);
}

static void test_a_run_is_found_again_and_its_configuration_replaced_as_a_whole(void **state) {
  (void)state;
  rf_run_folder folder;
  assert_int_equal(mkdir(path_of("again"), 0777), 0);
  for (int turn = 0; turn < 3; turn++) {
    assert_int_equal(rf_run_folder_open(path_of("again"), &folder), RF_OK);
    assert_int_equal(folder.holds_run, turn > 0);
    if (turn == 1) { /* what a kill leaves */
      file_write(path_of("again/config.yaml.tmp"), "", 0);
    }
    assert_int_equal(make_and_begin(&folder, "x.yaml", turn < 2 ? "a: 1\n" : "b: 2\n"), RF_OK);
    check_config(&folder, turn < 2 ? "a: 1\n" : "b: 2\n");
    assert_int_equal(access(path_of("again/config.yaml.tmp"), F_OK), -1);
    rf_run_folder_close(&folder);
  }
}

/* Another process tries: RF_BAD_CONFIG while this one has the folder, RF_OK after. */
static void check_other(const char *path, rf_status expected) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    rf_run_folder folder;
    _exit((int)rf_run_folder_open(path, &folder)); /* as if killed: nothing is given back */
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  assert_int_equal(WEXITSTATUS(status), expected);
}

static void test_a_second_job_is_refused_and_one_that_died_blocks_nobody(void **state) {
  (void)state;
  rf_run_folder folder;
  const char *path = path_of("held");
  assert_int_equal(rf_run_folder_open(path, &folder), RF_OK);
  assert_int_equal(make_and_begin(&folder, "x.yaml", "a: 1\n"), RF_OK);
  check_other(path, RF_BAD_CONFIG);
  rf_run_folder_close(&folder);
  for (int turn = 0; turn < 2; turn++) check_other(path, RF_OK);
}

static void test_two_jobs_that_both_found_no_folder_do_not_share_it(void **state) {
  (void)state;
  rf_run_folder first, second;
  assert_int_equal(rf_run_folder_open(path_of("race"), &first), RF_OK);
  assert_int_equal(rf_run_folder_open(path_of("race"), &second), RF_OK);
  assert_int_equal(make_and_begin(&first, "x.yaml", "a: 1\n"), RF_OK);
  rf_run_folder_close(&first);
  assert_int_equal(make_and_begin(&second, "x.yaml", "b: 2\n"), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "start again"));
  check_config(&first, "a: 1\n");
  rf_run_folder_close(&second);
}

static void test_a_folder_in_which_no_run_was_begun_goes_again(void **state) {
  (void)state;
  rf_run_folder folder;
  const char *path = path_of("in_vain");
  assert_int_equal(rf_run_folder_open(path, &folder), RF_OK);
  assert_int_equal(rf_run_folder_make(&folder, "x.yaml"), RF_OK);
  assert_int_equal(rf_lock_see(path, rf_lock_attempt(folder.lock), 0), RF_OK);
  assert_int_equal(access(path, F_OK), 0);
  rf_run_folder_close(&folder);
  assert_int_equal(access(path, F_OK), -1);
  assert_int_equal(mkdir(path, 0777), 0); /* what was there before stays */
  assert_int_equal(rf_run_folder_open(path, &folder), RF_OK);
  rf_run_folder_close(&folder);
  assert_int_equal(access(path, F_OK), 0);
}

static void test_what_is_no_folder_is_refused(void **state) {
  (void)state;
  rf_run_folder folder;
  file_write(path_of("file"), "", 0);
  assert_int_equal(rf_run_folder_open(path_of("file"), &folder), RF_BAD_CONFIG);
  assert_int_equal(rf_run_folder_open(path_of("file/inside"), &folder), RF_BAD_CONFIG);
  assert_int_equal(rf_run_folder_open("", &folder), RF_BAD_CONFIG);
}

static void test_a_folder_whose_parents_cannot_be_made_is_refused_with_the_reason(void **state) {
  (void)state;
  rf_run_folder folder;
  assert_int_equal(rf_run_folder_open(path_of("taken/a/b"), &folder), RF_OK);
  file_write(path_of("taken"), "", 0);
  assert_int_equal(rf_run_folder_make(&folder, "x.yaml"), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "taken/a/b: cannot be made or written to: Not a directory; name another"));
}

/* It could never be replaced again. */
static void test_no_run_is_made_in_a_checkpoint(void **state) {
  (void)state;
  rf_run_folder folder;
  char before[512];
  assert_int_equal(mkdir(path_of("saved"), 0777), 0);
  static const char *const files[] = {"saved/COMMIT", "saved/manifest.h5"};
  for (int i = 0; i < 2; i++) file_write(path_of(files[i]), "", 0);
  assert_int_equal(rf_run_folder_open(path_of("saved/a/b"), &folder), RF_OK);
  assert_int_equal(rf_run_folder_make(&folder, "x.yaml"), RF_BAD_CONFIG);
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(path_of("saved")), 0);
  assert_int_equal(rf_run_folder_open(NULL, &folder), RF_OK);
  assert_int_equal(rf_run_folder_make(&folder, "x.yaml"), RF_BAD_CONFIG);
  assert_int_equal(access("runs", F_OK), -1);
  assert_int_equal(access("a", F_OK), -1);
  assert_int_equal(chdir(before), 0);
}

static void test_runs_without_a_name_are_numbered_from_one(void **state) {
  (void)state;
  static const char *const expected[] = {"runs/small.v2-1", "runs/small.v2-2"};
  char before[4096];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(work), 0);
  for (int i = 0; i < 2; i++) {
    rf_run_folder folder;
    assert_int_equal(rf_run_folder_open(NULL, &folder), RF_OK);
    assert_int_equal(make_and_begin(&folder, "../configs/small.v2.yaml", "a: 1\n"), RF_OK);
    assert_string_equal(folder.path, expected[i]);
    rf_run_folder_close(&folder);
  }
  assert_int_equal(chdir(before), 0);
}

#ifdef RF_FAULTS
static void test_a_disk_that_fails_at_any_call_takes_no_configuration_away(void **state) {
  (void)state;
  int failures = 0;
  rf_run_folder folder;
  assert_int_equal(rf_run_folder_open(path_of("faults"), &folder), RF_OK);
  assert_int_equal(make_and_begin(&folder, "x.yaml", "a: 1\n"), RF_OK);
  for (int64_t k = 1;; k++) {
    rf_fault_io_arm(k, k, EIO);
    failures += rf_run_folder_begin(&folder, "a: 1\n") != RF_OK;
    const bool passed = rf_fault_io_calls() < k;
    rf_fault_io_arm(0, 0, 0);
    check_config(&folder, "a: 1\n");
    assert_int_equal(access(path_of("faults/config.yaml.tmp"), F_OK), -1);
    if (passed) break;
  }
  assert_int_equal(failures, 5); /* made, written, synced, renamed, the folder synced */
  rf_run_folder_close(&folder);
}
#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_a_folder_is_made_with_its_parents_and_holds_the_configuration),
      cmocka_unit_test(test_a_run_is_found_again_and_its_configuration_replaced_as_a_whole),
      cmocka_unit_test(test_a_second_job_is_refused_and_one_that_died_blocks_nobody),
      cmocka_unit_test(test_two_jobs_that_both_found_no_folder_do_not_share_it),
      cmocka_unit_test(test_a_folder_in_which_no_run_was_begun_goes_again),
#ifdef RF_FAULTS
      cmocka_unit_test(test_a_disk_that_fails_at_any_call_takes_no_configuration_away),
#endif
      cmocka_unit_test(test_what_is_no_folder_is_refused),
      cmocka_unit_test(test_a_folder_whose_parents_cannot_be_made_is_refused_with_the_reason),
      cmocka_unit_test(test_no_run_is_made_in_a_checkpoint),
      cmocka_unit_test(test_runs_without_a_name_are_numbered_from_one),
  };
  return cmocka_run_group_tests(tests, make_work, remove_work);
}
