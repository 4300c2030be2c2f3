/* Failures of one rank end all of them, with one message. */
#include "comm/alarm.h"
#include "comm/segments.h"
#include "mpi/ranks.h"
#include <sched.h>

static rf_mesh *world(void) {
  rf_mesh *mesh;
  assert_ok(make_mesh(1, 0, &mesh));
  return mesh;
}

static void test_ranks_that_are_well_agree_on_it(void **state) {
  (void)state;
  rf_mesh *mesh = world();
  for (int i = 0; i < 5; i++) {
    arrive_late(mesh, i);
    assert_ok(rf_agree(mesh, RF_OK));
  }
  rf_mesh_destroy(mesh);
}

static void test_one_failing_rank_is_quoted_by_all(void **state) {
  (void)state;
  for (int bad = 0; bad < rf_mpi_size(); bad++) {
    rf_mesh *mesh = world();
    rf_status status = RF_OK;
    if (rf_mpi_rank() == bad) status = rf_fail(RF_BAD_DATA, "shard %d is torn", bad);
    arrive_late(mesh, bad);
    assert_int_equal(rf_agree(mesh, status), RF_BAD_DATA);
    if (rf_mpi_size() > 1)
      assert_told_by(mesh, bad, "shard %d is torn", bad);
    else
      assert_string_equal(rf_error_message(), "shard 0 is torn");
    rf_mesh_destroy(mesh);
  }
}

static void test_what_all_ranks_say_is_said_once(void **state) {
  (void)state;
  rf_mesh *mesh = world();
  assert_int_equal(rf_agree(mesh, rf_fail(RF_BAD_CONFIG, "model.d_model is odd")), RF_BAD_CONFIG);
  assert_string_equal(rf_error_message(), "model.d_model is odd");
  rf_mesh_destroy(mesh);
}

static void test_the_gravest_failure_wins_and_of_equals_the_lowest_rank(void **state) {
  (void)state;
  static const rf_status kinds[] = {RF_OK,       RF_FAILED, RF_BAD_DATA, RF_STOPPED,
                                    RF_BAD_DATA, RF_FAILED, RF_OK,       RF_FAILED};
  const int size = rf_mpi_size();
  rf_mesh *mesh = world();
  rf_status status = kinds[rf_mpi_rank() % 8]; /* of more ranks none brings anything graver */
  if (status != RF_OK) status = rf_fail(status, "failure of rank %d", rf_mpi_rank());
  arrive_late(mesh, 1);
  const rf_status expected = size == 1 ? RF_OK : size == 2 ? RF_FAILED : RF_BAD_DATA;
  assert_int_equal(rf_agree(mesh, status), expected);
  if (size > 1) assert_told_by(mesh, size == 2 ? 1 : 2, "failure of rank %d", size == 2 ? 1 : 2);
  rf_mesh_destroy(mesh);
}

static void test_after_a_failure_nothing_starts(void **state) {
  (void)state;
  rf_mesh *mesh = world();
  const rf_status own = rf_mpi_rank() == 0 ? rf_fail(RF_FAILED, "out of memory") : RF_OK;
  assert_int_equal(rf_agree(mesh, own), RF_FAILED);
  double x = 1, y[200] = {0};
  if (rf_mpi_size() > 1) {
    assert_int_equal(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_LOSS, 1, &x), RF_FAILED);
    assert_told_by(mesh, 0, "out of memory");
    assert_int_equal(rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_LOSS, 200, y), RF_FAILED);
  }
  assert_int_equal(rf_agree(mesh, RF_OK), RF_FAILED); /* and it is not forgotten */
  rf_mesh_destroy(mesh);
}

enum { HASTY = 24 };
static real *waited_for;         /* MPI may write to it until it is finished */
static rf_mesh *left[2 + HASTY]; /* meshes with messages under way are not freed whole; reachable: nothing leaks */

/* A rank that leaves an agreement first may fail while others are still on their way out of it. */
static void test_a_failure_right_after_an_agreement_belongs_to_the_next(void **state) {
  (void)state;
  for (int i = 0; i < HASTY; i++) {
    rf_mesh *mesh = left[2 + i] = world();
    const int bad = i % rf_mpi_size();
    double sums[40] = {0};
    for (int k = 0; k < 3; k++) assert_ok(rf_agree(mesh, RF_OK));
    const rf_status status = rf_mpi_rank() == bad ? rf_fail(RF_BAD_DATA, "hasty")
                                                  : rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_LOSS, 40, sums);
    const rf_status agreed = rf_agree(mesh, status);
    if (agreed != RF_BAD_DATA) fail_msg("mesh %d: status %d, expected %d", i, (int)agreed, (int)RF_BAD_DATA);
    assert_int_equal(rf_agree(mesh, status), RF_BAD_DATA);
    rf_mesh_destroy(mesh);
  }
}

/* started: a mesh on which all ranks agree when it has. */
static rf_status wait_for_all(rf_mesh *mesh, rf_mesh *started, bool gather, const int64_t *first) {
  rf_flight *flight;
  if (gather)
    RF_TRY(rf_all_gather_start(mesh, RF_TRAFFIC_PARAMETERS, first, waited_for, &flight));
  else
    RF_TRY(rf_reduce_scatter_start(mesh, RF_TRAFFIC_GRADIENTS, first, waited_for, &flight));
  RF_TRY(rf_agree(started, RF_OK));
  return rf_flight_wait(flight);
}

/* That all ranks have sent on a mesh of no more use. */
static int64_t bytes_of_all(const rf_mesh *failed) {
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_traffic_read(failed, bytes);
  rf_mesh *mesh = world();
  int64_t sum = bytes[RF_TRAFFIC_OTHER];
  assert_ok(rf_sum_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &sum));
  rf_mesh_destroy(mesh);
  return sum;
}

/* All but rank 0 go on when they have its note: it tells, as the others do not come, and they, who have heard, do not.
 */
static void wait_for_first(rf_mesh *mesh) {
  while (rf_mpi_rank() > 0 && mesh->notes == 0) {
    assert_ok(rf_alarm_receive(mesh));
    (void)sched_yield();
  }
  if (rf_mpi_rank() > 1 && rf_mpi_rank() == rf_mpi_size() - 1) (void)usleep(600000);
}

/* However many fail, and however far apart: notes of one rank go to the others, not of each to each. How many tell
 * where all come together is a matter of time, and not counted. */
static void test_a_failure_of_all_is_told_by_one(void **state) {
  (void)state;
  enum { NOTE = 1024, VOTES = 2 * 8 };
  const int64_t others = rf_mpi_size() - 1;
  for (int apart = 0; apart < 2; apart++) {
    rf_mesh *mesh = world();
    rf_traffic_reset(mesh);
    if (apart) wait_for_first(mesh);
    assert_int_equal(rf_agree(mesh, rf_fail(RF_BAD_CONFIG, "typo, rank %d", rf_mpi_rank())), RF_BAD_CONFIG);
    if (rf_mpi_size() > 1) assert_string_equal(rf_error_message(), "typo, rank 0");
    const int64_t sent = bytes_of_all(mesh);
    if (apart && sent > others * NOTE + (others + 1) * others * VOTES)
      fail_msg("%lld bytes were sent", (long long)sent);
    rf_mesh_destroy(mesh);
  }
}

/* The last test of the program: operations stay under way. One rank fails before it starts what the others have
 * started, and wait for. */
static void test_ranks_that_wait_for_a_failed_one_are_freed(void **state) {
  (void)state;
  const int size = rf_mpi_size(), bad = size - 1;
  if (size == 1) return;
  static int64_t *first; /* as what is waited for */
  first = NEW(int64_t, size + 1);
  for (int r = 0; r < size; r++) first[r + 1] = first[r] + 50000;
  waited_for = NEW(real, first[size]);
  for (int gather = 0; gather < 2; gather++) {
    rf_mesh *mesh = left[gather] = world(), *started = world();
    rf_status status;
    if (rf_mpi_rank() == bad) {
      assert_ok(rf_agree(started, RF_OK));
      status = rf_fail(RF_BAD_DATA, "tokens end after 17 bytes");
    } else {
      status = wait_for_all(mesh, started, gather, first);
      assert_int_equal(status, RF_BAD_DATA);
    }
    assert_int_equal(rf_agree(mesh, status), RF_BAD_DATA);
    assert_told_by(mesh, bad, "tokens end after 17 bytes");
    rf_mesh_destroy(started);
    rf_mesh_destroy(mesh);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_ranks_that_are_well_agree_on_it),
    cmocka_unit_test(test_one_failing_rank_is_quoted_by_all),
    cmocka_unit_test(test_what_all_ranks_say_is_said_once),
    cmocka_unit_test(test_the_gravest_failure_wins_and_of_equals_the_lowest_rank),
    cmocka_unit_test(test_after_a_failure_nothing_starts),
    cmocka_unit_test(test_a_failure_right_after_an_agreement_belongs_to_the_next),
    cmocka_unit_test(test_a_failure_of_all_is_told_by_one),
    cmocka_unit_test(test_ranks_that_wait_for_a_failed_one_are_freed),
};

RANKS_MAIN(tests)
