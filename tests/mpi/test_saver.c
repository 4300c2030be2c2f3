/* Checkpoints that are written beside the training, by many ranks. */
#include "base/clock.h"
#include "base/text.h"
#include "checkpoint/small_state.h"
#include "comm/survey.h"
#include "mpi/ranks.h"

enum { LONG = 1 << 18 };

/* The sanitizer's allocator would rather end the process than return NULL. */
const char *__asan_default_options(void);
const char *__asan_default_options(void) { return "allocator_may_return_null=1"; }

static const rf_checkpoint_config beside = {.every = 1, .async = true}, waiting = {.every = 1};

/* How the world is cut does not matter here. */
static void on_a_mesh(void (*body)(rf_mesh *mesh)) {
  rf_mesh *mesh;
  assert_ok(make_mesh(rf_mpi_size(), 0, &mesh));
  body(mesh);
  assert_ok(rf_agree(mesh, RF_OK)); /* as good as ever */
  rf_mesh_destroy(mesh);
}

/* A state of `total` numbers, in a folder that rank 0 makes. */
static void make(small *s, rf_mesh *mesh, int64_t total) {
  static char folder[64];
  if (rf_mesh_rank(mesh) == 0) strcpy(folder, folder_make());
  assert_ok(rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 0, folder, sizeof folder));
  small_make(s, mesh, folder, total);
}

static void unmake(small *s) {
  assert_ok(rf_agree(s->mesh, RF_OK)); /* all have looked */
  if (rf_mesh_rank(s->mesh) == 0) folder_remove(s->folder);
  small_free(s);
}

static void begin(small *s, int64_t step) {
  small_set(s, step);
  assert_ok(small_begin(s, step, NAN));
}

/* As many polls as it takes. Returns the seconds in them. */
static double poll_until_saved(small *s, int64_t step) {
  double seconds = 0;
  while (rf_saver_report_of(s->saver).saved_step != step) {
    const double started = rf_clock_seconds();
    assert_ok(rf_saver_poll(s->saver));
    seconds += rf_clock_seconds() - started;
    assert_false(rf_saver_report_of(s->saver).failed);
    (void)usleep(100);
  }
  return seconds;
}

/* What the report tells of the newest one, against what this rank has seen: all of it took from `least` to `most`
 * seconds, of which training stood still for no more than those in calls. */
static void check_times(const rf_saver_report *report, double least, double most, double in_calls) {
  assert_true(report->write_seconds >= least && report->write_seconds <= most);
  assert_true(report->stall_seconds > 0 && report->stall_seconds <= in_calls);
}

static void save_while_the_state_changes(rf_mesh *mesh) {
  small s;
  make(&s, mesh, 3 * LONG + 5);
  small_open(&s, &beside, -1);
  assert_true(rf_saver_memory_used(s.saver) >= (size_t)(s.arrays[0].count + s.arrays[1].count) * sizeof(real));
  double longest = 0;
  for (int64_t step = 1; step <= 2; step++) {
    small_set(&s, step);
    const double started = rf_clock_seconds();
    assert_ok(small_begin(&s, step, NAN));
    const double begun = rf_clock_seconds();
    small_set(&s, 99); /* training goes on */
    if (rf_mesh_rank(mesh) == 0) (void)usleep(20000);
    arrive_late(mesh, (int)step);
    const double polled = rf_clock_seconds(), in_polls = poll_until_saved(&s, step);
    const rf_saver_report one = rf_saver_report_of(s.saver);
    /* It is rank 0 that gives the name, after the first poll. */
    const bool first = rf_mesh_rank(mesh) == 0;
    check_times(&one, first ? polled - begun : 0, first ? rf_clock_seconds() - started : INFINITY,
                begun - started + in_polls);
    longest = fmax(longest, one.write_seconds);
    small_check(&s, step);
  }
  const rf_saver_report report = rf_saver_report_of(s.saver);
  double same[] = {(double)report.bytes, report.write_seconds};
  assert_ok(rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 2, same));
  assert_true(same[0] == (double)report.bytes && same[1] == report.write_seconds); /* all ranks know the same */
  assert_true(report.bytes > (int64_t)(2 * (3 * LONG + 5) * sizeof(real)));
  assert_true(report.longest_seconds >= longest && report.longest_seconds <= longest);
  small_close(&s);
  unmake(&s);
}

static void test_what_is_saved_is_the_state_at_begin_though_it_changes_right_after(void **state) {
  (void)state;
  on_a_mesh(save_while_the_state_changes);
}

static void begin_without_a_poll(rf_mesh *mesh) {
  small s;
  make(&s, mesh, 10007);
  small_open(&s, &beside, -1);
  for (int64_t step = 1; step <= 3; step++) {
    begin(&s, step);
    small_set(&s, 99);
  }
  assert_int_equal(rf_saver_report_of(s.saver).saved_step, 2);
  assert_ok(rf_saver_finish(s.saver));
  assert_int_equal(rf_saver_report_of(s.saver).saved_step, 3);
  assert_ok(rf_saver_finish(s.saver));
  for (int64_t step = 1; step <= 3; step++) small_check(&s, step);
  assert_int_equal(small_entries(&s, ""), 3);
  small_close(&s);
  unmake(&s);
}

static void test_each_one_is_finished_before_the_next_is_begun(void **state) {
  (void)state;
  on_a_mesh(begin_without_a_poll);
}

static void save_while_training_waits(rf_mesh *mesh) {
  small s;
  make(&s, mesh, 10007);
  small_open(&s, &waiting, -1);
  assert_int_equal(rf_saver_memory_used(s.saver), 0);
  begin(&s, 1);
  assert_int_equal(rf_saver_report_of(s.saver).saved_step, 1);
  small_check(&s, 1);
  small_close(&s);
  unmake(&s);
}

static void test_without_async_it_is_saved_when_begin_returns(void **state) {
  (void)state;
  on_a_mesh(save_while_training_waits);
}

/* Polls by themselves: one number a rank while one is under way, and nothing else. */
static void count_polls(rf_mesh *mesh) {
  small s;
  int64_t before[RF_TRAFFIC_PURPOSES], after[RF_TRAFFIC_PURPOSES];
  make(&s, mesh, 4 * LONG);
  small_open(&s, &beside, -1);
  rf_traffic_read(mesh, before);
  assert_ok(rf_saver_poll(s.saver));
  rf_traffic_read(mesh, after);
  assert_memory_equal(before, after, sizeof before);
  begin(&s, 1);
  rf_traffic_read(mesh, before);
  assert_ok(rf_saver_poll(s.saver));
  rf_traffic_read(mesh, after);
  const int64_t sent = after[RF_TRAFFIC_OTHER] - before[RF_TRAFFIC_OTHER];
  assert_true(sent >= 8 * (rf_mesh_size(mesh) - 1)); /* more only where all were done at once */
  assert_ok(rf_saver_finish(s.saver));
  small_close(&s);
  unmake(&s);
}

static void test_a_poll_costs_nothing_while_nothing_is_under_way(void **state) {
  (void)state;
  on_a_mesh(count_polls);
}

/* --- failures ----------------------------------------------------------------------------------- */

/* One rank's state is not finite, one after the other; then all is well again. */
static void spoil_one_rank(rf_mesh *mesh) {
  small s;
  make(&s, mesh, 10007);
  small_open(&s, &beside, -1);
  begin(&s, 1);
  for (int rank = 0; rank < rf_mesh_size(mesh); rank++) {
    small_set(&s, 2);
    if (rf_mesh_rank(mesh) == rank)
      s.arrays[rank % 2].values[s.arrays[0].count - 1] = rank % 2 ? (real)NAN : (real)-INFINITY;
    assert_ok(small_begin(&s, 2, NAN));
    assert_ok(rf_saver_finish(s.saver));
    assert_true(rf_saver_report_of(s.saver).failed);
    assert_int_equal(rf_saver_report_of(s.saver).saved_step, 1);
    assert_ok(rf_agree(mesh, RF_OK)); /* rank 0 has removed what there was */
    assert_int_equal(small_entries(&s, ""), 1);
    small_check(&s, 1);
    assert_ok(rf_agree(mesh, RF_OK)); /* all have looked */
  }
  begin(&s, 2);
  assert_ok(rf_saver_finish(s.saver));
  assert_false(rf_saver_report_of(s.saver).failed);
  small_check(&s, 2);
  small_close(&s);
  unmake(&s);
}

static void test_a_state_that_is_not_finite_on_one_rank_is_not_saved(void **state) {
  (void)state;
  on_a_mesh(spoil_one_rank);
}

/* One rank's paths lead nowhere, so that it alone cannot write. The others' shards are written, and go again. */
static void deny_one_rank(rf_mesh *mesh) {
  const int n = rf_mesh_size(mesh);
  small s;
  make(&s, mesh, 10007);
  const char *folder = s.folder;
  assert_int_equal(chdir(folder), 0);
  for (int async = 0; async < 2; async++) {
    s.folder = ".";
    small_open(&s, async ? &beside : &waiting, -1);
    begin(&s, 1);
    assert_ok(rf_saver_finish(s.saver));
    for (int rank = 0; rank < n; rank++) {
      if (rf_mesh_rank(mesh) == rank) assert_int_equal(chdir("/proc"), 0);
      begin(&s, 2);
      assert_ok(rf_saver_finish(s.saver));
      assert_int_equal(chdir(folder), 0);
      assert_true(rf_saver_report_of(s.saver).failed);
      assert_ok(rf_agree(mesh, RF_OK)); /* rank 0 has removed what there was */
      if (rank > 0) assert_int_equal(small_entries(&s, "step-00000002"), 0);
      small_check(&s, 1);
      assert_ok(rf_agree(mesh, RF_OK)); /* all have looked */
    }
    begin(&s, 3);
    assert_ok(rf_saver_finish(s.saver));
    small_check(&s, 3);
    small_close(&s);
    assert_ok(rf_agree(mesh, RF_OK));
  }
  assert_int_equal(small_entries(&s, "damaged"), 2); /* steps 1 and 3 of the first time */
  assert_int_equal(chdir("/"), 0);
  s.folder = folder;
  unmake(&s);
}

static void test_a_rank_that_cannot_write_fails_that_one_and_no_other(void **state) {
  (void)state;
  on_a_mesh(deny_one_rank);
}

/* The folder goes while it is written into, and is there again for the next. */
static void take_the_folder_away(rf_mesh *mesh) {
  small s;
  make(&s, mesh, 10007);
  small_open(&s, &beside, -1);
  for (int64_t step = 1; step <= 2; step++) {
    begin(&s, step);
    assert_ok(rf_agree(mesh, RF_OK));
    if (step == 1 && rf_mesh_rank(mesh) == 0)
      assert_int_equal(rename(folder_path(s.folder, "checkpoints"), folder_path(s.folder, "elsewhere")), 0);
    assert_ok(rf_saver_finish(s.saver));
    assert_true(rf_saver_report_of(s.saver).failed == (step == 1));
  }
  small_check(&s, 2);
  assert_int_equal(small_entries(&s, ""), 1);
  small_close(&s);
  unmake(&s);
}

static void test_a_folder_that_has_gone_is_made_again_for_the_next(void **state) {
  (void)state;
  on_a_mesh(take_the_folder_away);
}

/* Where one rank has no memory for its copy, training waits, on all ranks, and no copy is kept on any. */
static void starve_one_rank(rf_mesh *mesh) {
  small s;
  make(&s, mesh, 10007);
  const int64_t count = s.arrays[0].count;
  if (rf_mesh_rank(mesh) == rf_mesh_size(mesh) - 1) s.arrays[0].count = (int64_t)1 << 50; /* nobody has so much */
  const rf_saver_options options = {
      .folder = folder_path(s.folder, "checkpoints"), .config = beside, .resumed_step = -1};
  assert_ok(rf_saver_create(&options, mesh, &s.layout, &s.state, &s.saver));
  s.arrays[0].count = count;
  assert_true(rf_saver_is_valid(s.saver));
  assert_int_equal(rf_saver_memory_used(s.saver), 0);
  begin(&s, 1);
  assert_int_equal(rf_saver_report_of(s.saver).saved_step, 1);
  small_check(&s, 1);
  small_close(&s);
  unmake(&s);
}

static void test_without_memory_for_a_copy_training_waits_for_the_write(void **state) {
  (void)state;
  on_a_mesh(starve_one_rank);
}

/* As after a failure of the mesh: what is under way is left, and the next attempt removes it. */
static void destroy_in_the_middle(rf_mesh *mesh) {
  small s;
  make(&s, mesh, 4 * LONG);
  small_open(&s, &beside, -1);
  begin(&s, 1);
  small_close(&s);
  assert_ok(rf_agree(mesh, RF_OK));
  assert_int_equal(small_entries(&s, ".tmp-"), 1);
  assert_ok(rf_agree(mesh, RF_OK));
  small_open(&s, &beside, -1);
  assert_ok(rf_agree(mesh, RF_OK));
  assert_int_equal(small_entries(&s, ""), 0);
  assert_ok(rf_agree(mesh, RF_OK)); /* all have looked */
  begin(&s, 1);
  assert_ok(rf_saver_finish(s.saver));
  small_check(&s, 1);
  small_close(&s);
  rf_saver_destroy(NULL);
  unmake(&s);
}

static void test_a_saver_that_is_destroyed_in_the_middle_leaves_what_the_next_one_removes(void **state) {
  (void)state;
  on_a_mesh(destroy_in_the_middle);
}

/* --- surveys ------------------------------------------------------------------------------------ */

/* bad[r]: what rank r brings. */
static void survey(rf_mesh *mesh, const rf_status *bad, rf_status expected, int by) {
  const int rank = rf_mesh_rank(mesh);
  rf_finding finding;
  rf_status own = bad[rank];
  if (own != RF_OK) own = rf_fail(own, "rank %d has status %d", rank, (int)own);
  arrive_late(mesh, by);
  assert_ok(rf_survey(mesh, own, &finding));
  assert_int_equal(finding.status, expected);
  bool shared = true;
  for (int r = 0; r < rf_mesh_size(mesh); r++) shared = shared && bad[r] == expected;
  char message[256] = "";
  if (expected != RF_OK && !shared)
    snprintf(message, sizeof message, "rank %d on host %s: ", by, rf_host_name(mesh, by));
  if (expected != RF_OK) rf_text_append(message, sizeof message, "rank %d has status %d", by, (int)expected);
  assert_string_equal(finding.message, message);
  if (expected != RF_OK) assert_int_equal(finding.rank, by);
}

static void survey_all(rf_mesh *mesh) {
  const int n = rf_mesh_size(mesh);
  rf_status *bad = NEW(rf_status, n);
  survey(mesh, bad, RF_OK, 0);
  for (int rank = 0; rank < n; rank++) { /* from the last on, each tells on itself */
    bad[n - 1 - rank] = RF_FAILED;
    survey(mesh, bad, RF_FAILED, n - 1 - rank);
  }
  for (int rank = 0; rank < n; rank++) { /* one that is graver than all others */
    bad[rank] = RF_BAD_DATA;
    survey(mesh, bad, RF_BAD_DATA, rank);
    bad[rank] = RF_FAILED;
  }
  memset(bad, 0, (size_t)n * sizeof *bad);
  survey(mesh, bad, RF_OK, 0);
  free(bad);
}

static void test_a_survey_tells_all_ranks_the_gravest_status_and_its_message(void **state) {
  (void)state;
  on_a_mesh(survey_all);
}

static void test_a_survey_of_one_process_is_its_own_status(void **state) {
  (void)state;
  rf_finding finding;
  assert_ok(rf_survey(NULL, RF_OK, &finding));
  assert_int_equal(finding.status, RF_OK);
  assert_ok(rf_survey(NULL, rf_fail(RF_BAD_DATA, "broken"), &finding));
  assert_int_equal(finding.status, RF_BAD_DATA);
  assert_string_equal(finding.message, "broken");
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_survey_tells_all_ranks_the_gravest_status_and_its_message),
    cmocka_unit_test(test_a_survey_of_one_process_is_its_own_status),
    cmocka_unit_test(test_what_is_saved_is_the_state_at_begin_though_it_changes_right_after),
    cmocka_unit_test(test_each_one_is_finished_before_the_next_is_begun),
    cmocka_unit_test(test_without_async_it_is_saved_when_begin_returns),
    cmocka_unit_test(test_a_poll_costs_nothing_while_nothing_is_under_way),
    cmocka_unit_test(test_a_state_that_is_not_finite_on_one_rank_is_not_saved),
    cmocka_unit_test(test_a_rank_that_cannot_write_fails_that_one_and_no_other),
    cmocka_unit_test(test_a_folder_that_has_gone_is_made_again_for_the_next),
    cmocka_unit_test(test_without_memory_for_a_copy_training_waits_for_the_write),
    cmocka_unit_test(test_a_saver_that_is_destroyed_in_the_middle_leaves_what_the_next_one_removes),
};

RANKS_MAIN(tests)
