/* Whatever call to the disk fails, or is the last before a kill: a whole checkpoint is there, and the next one is
 * saved. For builds with RF_FAULTS (base/fault_io.h). */
#include "base/fault_io.h"
#include "checkpoint/small_state.h"
#include <errno.h>
#include <omp.h>
#include <sys/wait.h>

enum { TOTAL = 5000, MOST_CALLS = 200 };

/* A good checkpoint of step 1, and rubbish under the name of step 2; keep 1, so that saving step 2 moves the rubbish
 * aside and then removes step 1. */
static const rf_checkpoint_config config = {.every = 1, .keep = 1, .async = true};

static void prepare(small *s) {
  small_open(s, &config, -1);
  small_save(s, 1, NAN);
  small_close(s);
  assert_int_equal(mkdir(small_path(s, 2), 0777), 0);
  file_write(folder_path(small_path(s, 2), "COMMIT"), "rubbish", 7);
}

/* Saves step 2 with the k-th call to the disk failing. */
static bool save_with_fault(small *s, int64_t k, int error, int64_t *calls) {
  small_open(s, &config, -1);
  rf_fault_io_arm(k, k, error);
  small_save(s, 2, NAN);
  *calls = rf_fault_io_calls();
  rf_fault_io_arm(0, 0, 0);
  const bool failed = rf_saver_report_of(s->saver).failed;
  assert_true(failed == (rf_saver_report_of(s->saver).saved_step != 2));
  small_close(s);
  return failed;
}

static void go_on_as_if_nothing_had_been(small *s) {
  small_open(s, &config, -1);
  assert_int_equal(small_entries(s, ".tmp-"), 0);
  assert_int_equal(small_entries(s, ".deleting"), 0);
  small_save(s, 3, NAN);
  assert_false(rf_saver_report_of(s->saver).failed);
  small_close(s);
  small_check(s, 3);
}

static void fail_each_call(int error) {
  int failures = 0;
  int64_t calls = 1;
  for (int64_t k = 1; k <= calls; k++) { /* the last one passes untouched */
    const char *folder = folder_make();
    small s;
    small_make(&s, NULL, folder, TOTAL);
    prepare(&s);
    int64_t made;
    const bool failed = save_with_fault(&s, k, error, &made);
    calls = made < k ? made : k + 1;
    assert_true(k < MOST_CALLS);
    failures += failed;
    if (failed) {
      small_check(&s, 1);
      assert_false(small_verifies(&s, 2)); /* the rubbish, as it was */
      int64_t size;
      unsigned char *found = file_read(folder_path(small_path(&s, 2), "COMMIT"), &size);
      assert_memory_equal(found, "rubbish", 7);
      free(found);
    } else {
      small_check(&s, 2);
    }
    go_on_as_if_nothing_had_been(&s);
    small_free(&s);
    folder_remove(folder);
  }
  assert_in_range(calls, 20, MOST_CALLS);
  assert_in_range(failures, 12, (unsigned long)calls); /* not those of the removal of old ones */
}

static void test_no_disk_that_fills_up_harms_an_older_checkpoint(void **state) {
  (void)state;
  fail_each_call(ENOSPC);
}

static void test_no_call_that_is_denied_harms_an_older_checkpoint(void **state) {
  (void)state;
  fail_each_call(EACCES);
}

/* The child is killed in front of its k-th call to the disk; false: it never came so far. */
static bool kill_child(small *s, int64_t k) {
  const pid_t child = fork();
  assert_true(child >= 0);
  if (child == 0) {
    int64_t calls;
    (void)save_with_fault(s, k, RF_FAULT_KILL, &calls);
    _exit(0);
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status)) {
    assert_int_equal(WTERMSIG(status), SIGKILL);
    return true;
  }
  assert_int_equal(WEXITSTATUS(status), 0);
  return false;
}

static void test_killed_anywhere_the_newest_whole_checkpoint_is_the_old_or_the_new_one(void **state) {
  (void)state;
  int old = 0, new = 0;
  bool killed = true;
  for (int64_t k = 1; killed; k++) {
    const char *folder = folder_make();
    small s;
    small_make(&s, NULL, folder, TOTAL);
    prepare(&s);
    killed = kill_child(&s, k);
    if (small_verifies(&s, 2)) {
      small_check(&s, 2);
      new ++;
    } else {
      small_check(&s, 1);
      old++;
    }
    go_on_as_if_nothing_had_been(&s);
    small_free(&s);
    folder_remove(folder);
    assert_true(k < MOST_CALLS);
  }
  assert_in_range(old, 10, MOST_CALLS);
  assert_in_range(new, 5, MOST_CALLS);
}

/* --- a checkpoint in a checkpoint's place ----------------------------------------------------------- */

static rf_status save_with(const trained *t, bool moments, const char *path) {
  rf_state state;
  const rf_checkpoint_header header = some_header();
  assert_ok(rf_state_create(t->store, moments ? t->optimizer : NULL, &state));
  const rf_status status = rf_checkpoint_save(path, NULL, &header, rf_store_layout(t->store), &state);
  rf_state_destroy(&state);
  return status;
}

/* Whole, and the new one or the old one. */
static bool is_new(const char *path) {
  rf_checkpoint *c;
  assert_ok(rf_checkpoint_verify(path, NULL, NULL, NULL));
  assert_ok(rf_checkpoint_open(path, &c));
  const int kinds = rf_checkpoint_info_of(c)->n_kinds;
  rf_checkpoint_close(c);
  assert_true(kinds == 1 || kinds == 3);
  return kinds == 3;
}

/* Saves over the old one with the k-th call failing; error RF_FAULT_KILL: in a child. *calls: that were
 * made, below k where it passed untouched. */
static rf_status replace_with_fault(const trained *t, const char *path, int64_t k, int error, int64_t *calls) {
  const pid_t child = error == RF_FAULT_KILL ? fork() : 0;
  assert_true(child >= 0);
  if (child == 0) {
    rf_fault_io_arm(k, k, error);
    const rf_status status = save_with(t, true, path);
    *calls = rf_fault_io_calls();
    rf_fault_io_arm(0, 0, 0);
    if (error == RF_FAULT_KILL) _exit(0);
    return status;
  }
  int status;
  assert_int_equal(waitpid(child, &status, 0), child);
  *calls = WIFSIGNALED(status) ? k : k - 1;
  return WIFSIGNALED(status) ? RF_FAILED : RF_OK;
}

static void test_a_checkpoint_that_is_replaced_is_there_until_the_new_one_is(void **state) {
  (void)state;
  static const int errors[] = {ENOSPC, RF_FAULT_KILL};
  trained t;
  trained_make(&t, RF_ADAM, 1);
  for (size_t e = 0; e < sizeof errors / sizeof *errors; e++) {
    bool touched = true;
    int64_t calls;
    int old = 0;
    for (int64_t k = 1; touched; k++) {
      const char *folder = folder_make(), *path = folder_path(folder, "c");
      assert_ok(save_with(&t, false, path));
      const rf_status status = replace_with_fault(&t, path, k, errors[e], &calls);
      const bool new = is_new(path);
      touched = calls >= k;
      old += !new;
      if (errors[e] != RF_FAULT_KILL) assert_true(new == (status == RF_OK));
      assert_ok(save_with(&t, true, path));
      assert_int_equal(folder_entries(folder), 1);
      folder_remove(folder);
      assert_true(k < MOST_CALLS);
    }
    assert_in_range(old, 8, MOST_CALLS);
  }
  trained_destroy(&t);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_no_disk_that_fills_up_harms_an_older_checkpoint),
    cmocka_unit_test(test_no_call_that_is_denied_harms_an_older_checkpoint),
    cmocka_unit_test(test_killed_anywhere_the_newest_whole_checkpoint_is_the_old_or_the_new_one),
    cmocka_unit_test(test_a_checkpoint_that_is_replaced_is_there_until_the_new_one_is),
};

int main(void) {
  omp_set_num_threads(1); /* OpenMP's threads do not live on in a child */
  return cmocka_run_group_tests(tests, NULL, NULL);
}
