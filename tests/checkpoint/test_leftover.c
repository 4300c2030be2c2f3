/* Where a save may be, what it does with what bears its name, and with what attempts that were killed left behind. */
#include "base/log.h"
#include "checkpoint/folder.h"

/* A process that was killed while it saved leaves both; nothing that may be somebody's goes. */
static void test_what_killed_saves_left_goes_with_the_next(void **state) {
  (void)state;
  static const char *const own[] = {"c.tmp-0123456789abcdef", "c.replaced-0123456789abcdef", "c.tmp-fedcba9876543210"};
  static const char *const others[] = {"c.tmp-notes", "b.tmp-0123456789abcdef", "c.damaged-0123456789abcdef",
                                       "c.tmp-1111111111111111"};
  const char *folder = folder_make();
  trained t;
  trained_make(&t, RF_ADAM, 1);
  for (int i = 0; i < 3; i++) trained_save(&t, false, folder_path(folder, own[i]));
  assert_int_equal(unlink(folder_path(folder_path(folder, own[1]), "COMMIT")), 0);
  for (int i = 0; i < 4; i++) assert_int_equal(mkdir(folder_path(folder, others[i]), 0777), 0);
  file_write(folder_path(folder_path(folder, others[3]), "NOTES"), "x", 1);
  for (int i = 0; i < 2; i++) {
    trained_save(&t, true, folder_path(folder, i == 0 ? "c" : "c//"));
    assert_ok(rf_checkpoint_verify(folder_path(folder, "c"), NULL, NULL, NULL));
    assert_int_equal(folder_entries(folder), 5);
  }
  char before[512];
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(folder), 0);
  trained_save(&t, false, own[0]);
  trained_save(&t, true, "c");
  assert_int_equal(folder_entries("."), 5);
  assert_int_equal(chdir(before), 0);
  trained_destroy(&t);
  folder_remove(folder);
}

static void test_what_cannot_be_removed_is_told(void **state) {
  (void)state;
  int64_t size;
  const char *folder = folder_make(), *left = folder_path(folder, "c.replaced-0123456789abcdef");
  trained t;
  trained_make(&t, RF_ADAM, 1);
  assert_int_equal(mkdir(left, 0777), 0);
  assert_int_equal(mkdir(folder_path(left, "manifest.h5"), 0777), 0); /* not to be removed as a file is */
  assert_ok(rf_log_open(folder_path(folder, "log")));
  trained_save(&t, false, folder_path(folder, "c"));
  assert_ok(rf_log_close());
  char *said = (char *)file_read(folder_path(folder, "log"), &size);
  said[size] = '\0';
  assert_non_null(strstr(said, "c.replaced-0123456789abcdef, which an earlier attempt at"));
  free(said);
  trained_destroy(&t);
  folder_remove(folder);
}

/* As session.h says: damage that neither COMMIT nor a size shows is not looked for. */
static void test_a_checkpoint_of_the_right_sizes_is_replaced_unread(void **state) {
  (void)state;
  const char *folder = folder_make(), *shard = folder_path(folder, "c/shard-00000-of-00001.h5");
  int64_t size;
  trained t;
  trained_make(&t, RF_ADAM, 1);
  trained_save(&t, false, folder_path(folder, "c"));
  unsigned char *bytes = file_read(shard, &size);
  bytes[size / 2] ^= 1;
  file_write(shard, bytes, size);
  free(bytes);
  trained_save(&t, true, folder_path(folder, "c"));
  assert_int_equal(folder_entries(folder), 1);
  assert_ok(rf_checkpoint_verify(folder_path(folder, "c"), NULL, NULL, NULL));
  trained_destroy(&t);
  folder_remove(folder);
}

/* Refused before anything is made. */
static void check_refused(const trained *t, const char *folder, const char *path, const char *said) {
  rf_state state;
  const rf_checkpoint_header header = some_header();
  const int before = folder_entries(folder);
  assert_ok(rf_state_create(t->store, NULL, &state));
  assert_int_equal(rf_checkpoint_save(path, NULL, &header, rf_store_layout(t->store), &state), RF_BAD_CONFIG);
  if (!strstr(rf_error_message(), said)) fail_msg("%s: %s", path, rf_error_message());
  assert_int_equal(folder_entries(folder), before);
  rf_state_destroy(&state);
}

static void test_a_path_without_a_name_is_refused_at_once(void **state) {
  (void)state;
  static const char *const paths[] = {".", "./", "..", "c/.", "c/..", "/", "new/."};
  const char *folder = folder_make();
  char before[512];
  trained t;
  trained_make(&t, RF_ADAM, 1);
  trained_save(&t, false, folder_path(folder, "c"));
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(mkdir(folder_path(folder, "empty"), 0777), 0);
  assert_int_equal(chdir(folder_path(folder, "empty")), 0);
  for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
    check_refused(&t, ".", paths[i], "allowed: a path that ends in a name");
  assert_int_equal(chdir(before), 0);
  trained_destroy(&t);
  folder_remove(folder);
}

static void test_nothing_is_saved_within_a_checkpoint(void **state) {
  (void)state;
  const char *folder = folder_make(), *outer = folder_path(folder, "c");
  char before[512];
  trained t;
  trained_make(&t, RF_ADAM, 1);
  trained_save(&t, false, outer);
  check_refused(&t, outer, folder_path(outer, "inner"), "lies in the checkpoint");
  check_refused(&t, outer, folder_path(outer, "a/b//inner"), "lies in the checkpoint");
  assert_non_null(getcwd(before, sizeof before));
  assert_int_equal(chdir(outer), 0);
  check_refused(&t, ".", "inner", "lies in the checkpoint .");
  assert_int_equal(chdir(before), 0);
  trained_save(&t, true, folder_path(folder, "c"));
  trained_destroy(&t);
  folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_what_killed_saves_left_goes_with_the_next),
    cmocka_unit_test(test_what_cannot_be_removed_is_told),
    cmocka_unit_test(test_a_path_without_a_name_is_refused_at_once),
    cmocka_unit_test(test_nothing_is_saved_within_a_checkpoint),
    cmocka_unit_test(test_a_checkpoint_of_the_right_sizes_is_replaced_unread),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
