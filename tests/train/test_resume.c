/* Which checkpoints there are to go on from. */
#include "train/resume.h"
#include "checkpoint/folder.h"

/* Strange names stand anywhere in the folder: none of them makes the listing fail, and the one who lists and the one
 * who looks for the newest see the same. */
static void test_a_run_lists_its_checkpoints_whatever_else_is_there(void **state) {
  (void)state;
  static const char *const names[] = {"step-99999999999999999999",
                                      "step-00000003",
                                      "step-12",
                                      "step-00000020",
                                      "step-0000000000000000000000000000000000000001",
                                      "step-00000007.deleting",
                                      "x"};
  const char *folder = folder_make();
  int64_t n, *steps;
  for (size_t i = 0; i < sizeof names / sizeof *names; i++)
    assert_int_equal(mkdir(folder_path(folder, names[i]), 0777), 0);
  assert_ok(rf_resume_list(NULL, folder, &n, &steps));
  assert_int_equal(n, 2);
  assert_int_equal(steps[0], 20);
  assert_int_equal(steps[1], 3);
  free(steps);
  folder_remove(folder);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_run_lists_its_checkpoints_whatever_else_is_there),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
