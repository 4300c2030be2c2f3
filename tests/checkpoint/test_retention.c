/* Which checkpoints of a run stay: the decision by itself, and what is left in the folder. */
#include "checkpoint/retention.h"
#include "checkpoint/small_state.h"

enum { MOST = 8 };

typedef struct example {
  const char *what;
  int64_t keep, keep_every, newest;
  int n;
  rf_retention_entry all[MOST];
  const char *stays; /* one letter each: s stays, r is removed */
} example;

#define V .eval_loss = NAN, .verified = true
#define U .eval_loss = NAN

static const example examples[] = {
    {"all of them where keep is 0", 0, 0, 3, 3, {{1, V}, {2, V}, {3, V}}, "sss"},
    {"the newest ones", 2, 0, 4, 4, {{1, V}, {2, V}, {3, V}, {4, V}}, "rrss"},
    {"in whatever order they were found", 2, 0, 4, 4, {{4, V}, {1, V}, {3, V}, {2, V}}, "srsr"},
    {"no more than there are", 3, 0, 2, 2, {{1, V}, {2, V}}, "ss"},
    {"the permanent ones", 1, 10, 31, 4, {{10, V}, {15, V}, {30, V}, {31, V}}, "srss"},
    {"the one resumed from", 1, 0, 3, 3, {{1, V, .resumed = true}, {2, V}, {3, V}}, "srs"},
    {"the best one",
     1,
     0,
     4,
     4,
     {{1, .eval_loss = 3, .verified = true},
      {2, .eval_loss = 2, .verified = true},
      {3, .eval_loss = 2.5, .verified = true},
      {4, V}},
     "rsrs"},
    {"of two that are equally good the later",
     1,
     0,
     3,
     3,
     {{1, .eval_loss = 2, .verified = true}, {2, .eval_loss = 2, .verified = true}, {3, V}},
     "rss"},
    {"the best of those that are whole, too",
     1,
     0,
     4,
     4,
     {{1, .eval_loss = 2, .verified = true}, {2, .eval_loss = 1}, {3, .eval_loss = 3, .verified = true}, {4, V}},
     "ssrs"},
    {"a loss of minus infinity is one, NaN is none",
     1,
     0,
     3,
     3,
     {{1, .eval_loss = -INFINITY, .verified = true}, {2, V}, {3, V}},
     "srs"},
    {"whole ones that unverified newer ones would push out",
     2,
     0,
     5,
     5,
     {{1, V}, {2, V}, {3, U}, {4, U}, {5, V}},
     "rssss"},
    {"unverified ones do not, once enough whole ones are newer", 2, 0, 4, 4, {{1, U}, {2, U}, {3, V}, {4, V}}, "rrss"},
    {"those of a run that went further", 1, 0, 3, 5, {{1, V}, {2, V}, {3, V}, {8, V}, {9, U}}, "rrsss"},
    {"further ones do not count", 2, 0, 3, 5, {{2, V}, {3, V}, {7, V}, {8, V}, {9, V}}, "sssss"},
    {"what could not be removed is not tried again", 1, 0, 3, 3, {{1, V, .stuck = true}, {2, V}, {3, V}}, "srs"},
    {"nothing of nothing", 1, 0, -1, 0, {{0}}, ""},
};

static void test_the_decision_keeps(void **state) {
  (void)state;
  for (size_t e = 0; e < sizeof examples / sizeof *examples; e++) {
    const example *x = &examples[e];
    const rf_checkpoint_config config = {.keep = x->keep, .keep_every = x->keep_every};
    assert_int_equal(strlen(x->stays), x->n);
    for (int i = 0; i < x->n; i++)
      if (rf_retention_removes(&config, x->newest, x->n, x->all, i) != (x->stays[i] == 'r'))
        fail_msg("%s: step %lld should be %c", x->what, (long long)x->all[i].step, x->stays[i]);
  }
}

static void test_whole_checkpoints_are_missing_until_as_many_are_known(void **state) {
  (void)state;
  static const rf_retention_entry all[] = {{1, V}, {2, U}, {3, V}, {9, V}};
  const rf_checkpoint_config three = {.keep = 3}, none = {.keep = 0};
  assert_int_equal(rf_retention_missing(&three, 3, 4, all), 1);
  assert_int_equal(rf_retention_missing(&three, 9, 4, all), 0);
  assert_int_equal(rf_retention_missing(&none, 3, 4, all), 0);
}

/* --- in a folder -------------------------------------------------------------------------------- */

static void expect(const small *s, int n, const int64_t *steps) {
  for (int i = 0; i < n; i++)
    if (!small_verifies(s, steps[i])) fail_msg("step %lld: %s", (long long)steps[i], rf_error_message());
  assert_int_equal(small_entries(s, ""), n);
}

static void test_a_run_leaves_the_newest_the_best_and_the_permanent_ones(void **state) {
  (void)state;
  for (int async = 0; async < 2; async++) {
    const rf_checkpoint_config config = {.every = 1, .keep = 2, .keep_every = 4, .async = async};
    static const double losses[] = {5, 3, 4, 4, NAN, 4.5, NAN};
    const char *folder = folder_make();
    small s;
    small_make(&s, NULL, folder, 1000);
    small_open(&s, &config, -1);
    for (int i = 0; i < 7; i++) small_save(&s, i + 1, losses[i]);
    expect(&s, 4, (const int64_t[]){2, 4, 6, 7});
    small_close(&s);
    small_free(&s);
    folder_remove(folder);
  }
}

static void damage(const small *s, int64_t step) {
  int64_t size;
  const char *path = folder_path(small_path(s, step), "shard-00000-of-00001.h5");
  unsigned char *bytes = file_read(path, &size);
  bytes[size - 5] ^= 1;
  file_write(path, bytes, size);
  free(bytes);
}

/* 1 2 3* 4: resumed from 4 with 3 damaged, which therefore does not count: 2 stays until 5 and 6 are there. */
static void test_a_damaged_checkpoint_pushes_no_whole_one_out(void **state) {
  (void)state;
  const rf_checkpoint_config all = {.every = 1}, three = {.every = 1, .keep = 3};
  const char *folder = folder_make();
  small s;
  small_make(&s, NULL, folder, 1000);
  small_open(&s, &all, -1);
  for (int64_t step = 1; step <= 4; step++) small_save(&s, step, NAN);
  small_close(&s);
  damage(&s, 3);
  small_open(&s, &three, 4);
  small_save(&s, 5, NAN);
  assert_true(small_verifies(&s, 2) && small_verifies(&s, 4) && small_verifies(&s, 5));
  assert_int_equal(small_entries(&s, ""), 4); /* 3 as well: it is not older than three whole ones */
  small_save(&s, 6, NAN);
  expect(&s, 3, (const int64_t[]){4, 5, 6});
  small_save(&s, 7, NAN);
  expect(&s, 4, (const int64_t[]){4, 5, 6, 7}); /* 4 was resumed from */
  small_close(&s);
  small_free(&s);
  folder_remove(folder);
}

/* Each life writes one checkpoint; the losses of earlier lives are in the manifests. */
static void test_a_run_of_many_short_lives_keeps_no_more_than_one_long(void **state) {
  (void)state;
  const rf_checkpoint_config config = {.every = 1, .keep = 2};
  const char *folder = folder_make();
  small s;
  small_make(&s, NULL, folder, 1000);
  for (int64_t step = 1; step <= 6; step++) {
    small_open(&s, &config, step - 1);
    small_save(&s, step, step == 2 ? 1 : 2);
    small_close(&s);
  }
  expect(&s, 3, (const int64_t[]){2, 5, 6});
  small_free(&s);
  folder_remove(folder);
}

static void make_unfinished(const char *folder, const char *name) {
  const char *path = folder_path(folder_path(folder, "checkpoints"), name);
  assert_int_equal(mkdir(path, 0777), 0);
  file_write(folder_path(path, "COMMIT"), "x", 1);
}

static void test_what_another_attempt_left_is_removed_by_who_holds_the_lock(void **state) {
  (void)state;
  const rf_checkpoint_config config = {.every = 1, .keep = 1};
  const char *folder = folder_make();
  small s;
  small_make(&s, NULL, folder, 10);
  assert_int_equal(mkdir(folder_path(folder, "checkpoints"), 0777), 0);
  make_unfinished(folder, "step-00000005.tmp-0123456789abcdef");
  make_unfinished(folder, "step-00000004.deleting");
  make_unfinished(folder, "step-00000006.replaced-0123456789abcdef"); /* by what never came */
  static const char *const others[] = {"step-00000004.deleting-notes", "step-00000005.tmp-notes", "step-4.deleting",
                                       "step-00000005.tmp-0123456789abcdef0", "step-00000005.tmp-0123456789ABCDEF"};
  for (size_t i = 0; i < sizeof others / sizeof *others; i++) make_unfinished(folder, others[i]); /* a user's */
  assert_int_equal(mkdir(folder_path(folder, "checkpoints/step-9.damaged-x"), 0777), 0);
  assert_int_equal(mkdir(folder_path(folder, "checkpoints/mine"), 0777), 0);
  const rf_saver_options options = {.folder = folder_path(folder, "checkpoints"), .config = config, .resumed_step = -1};
  assert_ok(rf_saver_create(&options, NULL, &s.layout, &s.state, &s.saver));
  assert_int_equal(small_entries(&s, ""), 10); /* without the lock, they may be somebody's */
  rf_saver_destroy(s.saver);
  small_open(&s, &config, -1);
  assert_int_equal(small_entries(&s, ""), 8);
  small_save(&s, 6, NAN);
  assert_int_equal(small_entries(&s, ".replaced-"), 1); /* a later job removes it */
  small_close(&s);
  small_open(&s, &config, -1);
  assert_int_equal(small_entries(&s, ".replaced-"), 0);
  assert_int_equal(small_entries(&s, ""), 8);
  small_close(&s);
  small_free(&s);
  folder_remove(folder);
}

/* As when the disk was read-only from the middle of a save on, for a while. */
static void test_what_a_failed_save_could_not_remove_goes_after_the_next(void **state) {
  (void)state;
  for (int keep = 0; keep < 2; keep++) {
    const rf_checkpoint_config config = {.every = 1, .keep = keep};
    const char *folder = folder_make();
    small s;
    small_make(&s, NULL, folder, 10);
    small_open(&s, &config, -1);
    small_save(&s, 1, NAN);
    make_unfinished(folder, "step-00000002.tmp-0123456789abcdef");
    make_unfinished(folder, "step-00000001.deleting");
    make_unfinished(folder, "step-00000004.tmp-0123456789abcdef"); /* may be under way when 3 is cleared up after */
    make_unfinished(folder, "step-00000002.damaged-0123456789abcdef");
    small_save(&s, 3, NAN);
    assert_int_equal(small_entries(&s, ".tmp-"), 1);
    assert_int_equal(small_entries(&s, "step-00000004.tmp-"), 1);
    assert_int_equal(small_entries(&s, ".deleting"), 0);
    assert_int_equal(small_entries(&s, ".damaged-"), 1);
    small_close(&s);
    small_free(&s);
    folder_remove(folder);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_the_decision_keeps),
    cmocka_unit_test(test_whole_checkpoints_are_missing_until_as_many_are_known),
    cmocka_unit_test(test_a_run_leaves_the_newest_the_best_and_the_permanent_ones),
    cmocka_unit_test(test_a_damaged_checkpoint_pushes_no_whole_one_out),
    cmocka_unit_test(test_a_run_of_many_short_lives_keeps_no_more_than_one_long),
    cmocka_unit_test(test_what_another_attempt_left_is_removed_by_who_holds_the_lock),
    cmocka_unit_test(test_what_a_failed_save_could_not_remove_goes_after_the_next),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
