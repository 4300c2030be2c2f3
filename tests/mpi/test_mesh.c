/* The mesh of ranks, how it is refused, and launches that went wrong. */
#include "comm/launch.h"
#include "comm/mpi_call.h"
#include "mpi/ranks.h"

static void check_places(rf_mesh *mesh) {
  const int s = rf_mesh_sequence_size(mesh), d = rf_mesh_data_size(mesh);
  assert_int_equal(s * d, rf_mpi_size());
  assert_int_equal(rf_mesh_size(mesh), rf_mpi_size());
  assert_int_equal(rf_mesh_rank(mesh), rf_mpi_rank());
  assert_int_equal(rf_mesh_rank(mesh), rf_mesh_data_rank(mesh) * s + rf_mesh_sequence_rank(mesh));
  assert_in_range(rf_mesh_sequence_rank(mesh), 0, s - 1);
  assert_in_range(rf_mesh_data_rank(mesh), 0, d - 1);
  assert_int_equal(rf_mesh_rank_in(mesh, RF_SCOPE_WORLD), rf_mesh_rank(mesh));
  assert_int_equal(rf_mesh_rank_in(mesh, RF_SCOPE_SEQUENCE), rf_mesh_sequence_rank(mesh));
  assert_int_equal(rf_mesh_rank_in(mesh, RF_SCOPE_DATA), rf_mesh_data_rank(mesh));
  assert_true(rf_mesh_memory_used(mesh) > 0);

  /* the members of each group are those the picture shows */
  const double own = rf_mesh_rank(mesh);
  double all[MOST_TEST_RANKS];
  assert_ok(rf_gather_doubles(mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, 1, &own, all));
  for (int i = 0; i < s; i++) assert_int_equal((int)all[i], rf_mesh_data_rank(mesh) * s + i);
  assert_ok(rf_gather_doubles(mesh, RF_SCOPE_DATA, RF_TRAFFIC_OTHER, 1, &own, all));
  for (int i = 0; i < d; i++) assert_int_equal((int)all[i], i * s + rf_mesh_sequence_rank(mesh));
}

static void test_sequence_ranks_stand_side_by_side_in_their_data_group(void **state) {
  (void)state;
  on_every_mesh(check_places);
}

static void test_a_mesh_is_arranged_again_and_again(void **state) {
  (void)state;
  rf_mesh *mesh;
  assert_ok(rf_mesh_open(RF_OK, &mesh));
  assert_true(rf_mesh_is_valid(mesh));
  assert_int_equal(rf_mesh_data_size(mesh), rf_mpi_size()); /* before it is arranged at all */
  for (int turn = 0; turn < 2; turn++)
    for (int sequence = rf_mpi_size(); sequence >= 1; sequence--) {
      if (rf_mpi_size() % sequence != 0) continue;
      assert_ok(rf_mesh_arrange(mesh, sequence, 0));
      assert_true(rf_mesh_is_valid(mesh));
      assert_int_equal(rf_mesh_sequence_size(mesh), sequence);
      check_places(mesh);
    }
  rf_mesh_destroy(mesh);
  assert_ok(rf_mesh_arrange(NULL, 1, 0));
  assert_int_equal(rf_mesh_arrange(NULL, 2, 0), RF_BAD_CONFIG);
}

static void test_what_one_rank_brings_to_the_opening_all_hear(void **state) {
  (void)state;
  const int last = rf_mpi_size() - 1;
  rf_mesh *mesh;
  const rf_status status = rf_mpi_rank() == last ? rf_fail(RF_BAD_DATA, "no luck") : RF_OK;
  assert_int_equal(rf_mesh_open(status, &mesh), RF_BAD_DATA);
  assert_null(mesh);
  char expected[64] = "no luck";
  if (last > 0) (void)snprintf(expected, sizeof expected, "rank %d on host ", last);
  assert_non_null(strstr(rf_error_message(), expected));
  assert_non_null(strstr(rf_error_message(), "no luck"));
}

static void test_a_call_of_mpi_that_fails_comes_back(void **state) {
  (void)state;
  const MPI_Comm comms[] = {MPI_COMM_WORLD, MPI_COMM_SELF};
  for (int i = 0; i < 2; i++) {
    const int code = MPI_Send(NULL, 0, MPI_BYTE, rf_mpi_size(), 0, comms[i]); /* there is no such rank */
    assert_int_equal(rf_mpi_check(code, "MPI_Send"), RF_FAILED);
    assert_non_null(strstr(rf_error_message(), "MPI_Send"));
  }
}

static void test_ranks_know_each_others_hosts(void **state) {
  (void)state;
  rf_mesh *mesh;
  int host[MOST_TEST_RANKS], hosts;
  char own[RF_HOST_NAME] = "";
  assert_ok(rf_mesh_open(RF_OK, &mesh));
  assert_int_equal(gethostname(own, sizeof own - 1), 0);
  assert_string_equal(rf_host_name(mesh, rf_mpi_rank()), own);
  assert_int_equal(rf_host_ranks(mesh), rf_mpi_size()); /* all of this test run here */
  assert_in_range(rf_host_share_of(mesh).sharers, 1, rf_mpi_size());
  rf_host_of_ranks(mesh, host, &hosts);
  assert_int_equal(hosts, 1);
  for (int r = 0; r < rf_mpi_size(); r++) assert_int_equal(host[r], 0);
  rf_mesh_destroy(mesh);
  assert_int_equal(rf_host_ranks(NULL), 1);
  assert_int_equal(rf_host_share_of(NULL).sharers, 1);
}

enum { PLACES = 6 };

/* As rank `rank` would see ranks in those places. */
static void see_hosts(const rf_place *places, int rank, rf_hosts *hosts) {
  rf_hosts_destroy(hosts);
  assert_ok(rf_hosts_create(PLACES, hosts));
  rf_hosts_fill(places, PLACES, rank, hosts);
}

static void test_hosts_are_told_by_name_and_system(void **state) {
  (void)state;
  rf_hosts hosts = {0};
  rf_place places[PLACES];
  for (int r = 0; r < PLACES; r++) places[r] = rf_place_find();
  const int last = PLACES - 1;
  see_hosts(places, 2, &hosts);
  assert_int_equal(hosts.n, 1);
  assert_int_equal(hosts.neighbours, PLACES);
  assert_int_equal(hosts.share.sharers, PLACES);
  assert_int_equal(hosts.share.turn, 2);
  assert_true(hosts.share.alike);
  strcpy(places[last].host, "a container");
  strcpy(places[1].host, "a container");
  see_hosts(places, 0, &hosts);
  assert_int_equal(hosts.n, 2); /* links between them, */
  for (int r = 0; r < PLACES; r++) assert_int_equal(hosts.of_rank[r], r == 1 || r == last);
  assert_string_equal(hosts.names[1], "a container");
  assert_int_equal(hosts.neighbours, PLACES);
  assert_int_equal(hosts.share.sharers, PLACES); /* and yet the same memory and cores */
  strcpy(places[1].host, places[0].host);
  strcpy(places[last].host, places[0].host);
  strcpy(places[last].boot, "another system");
  see_hosts(places, 0, &hosts);
  assert_int_equal(hosts.n, 2); /* of one name, but not one host */
  assert_int_equal(hosts.neighbours, last);
  see_hosts(places, last, &hosts);
  assert_int_equal(hosts.neighbours, 1);
  assert_int_equal(hosts.share.sharers, 1);
  for (int r = 0; r < PLACES; r++) places[r].boot[0] = '\0';
  see_hosts(places, 0, &hosts);
  assert_int_equal(hosts.neighbours, PLACES); /* where systems have no number the name has to do */
  rf_hosts_destroy(&hosts);
}

static void assert_refused(rf_status status, const char *const *words) {
  assert_int_equal(status, RF_BAD_CONFIG);
  for (; *words; words++)
    if (!strstr(rf_error_message(), *words)) fail_msg("'%s' is missing in: %s", *words, rf_error_message());
}

static void test_a_mesh_that_does_not_fit_says_what_would(void **state) {
  (void)state;
  int64_t data = -1;
  assert_ok(rf_mesh_fit(6, 3, 0, &data));
  assert_int_equal(data, 2);
  assert_ok(rf_mesh_fit(6, 1, 0, &data));
  assert_int_equal(data, 6);
  assert_ok(rf_mesh_fit(6, 2, 3, &data));
  assert_int_equal(data, 3);
  assert_refused(rf_mesh_fit(6, 4, 0, &data),
                 (const char *[]){"mesh.sequence", "4", "6 ranks", "1, 2, 3 or 6", "mpirun -n 8", NULL});
  assert_refused(rf_mesh_fit(6, 7, 0, &data), (const char *[]){"7", "mpirun -n 7", NULL});
  assert_refused(rf_mesh_fit(6, 2, 2, &data), (const char *[]){"sequence 2 x data 2", "6 ranks", "mpirun -n 4", NULL});
  assert_refused(rf_mesh_fit(1, 2, 1, &data), (const char *[]){"1 rank;", NULL});
  assert_refused(rf_mesh_fit(6, 0, 0, &data), (const char *[]){"sequence 0", NULL});
  assert_refused(rf_mesh_fit(6, 1048576, 1048576, &data), (const char *[]){"1048576", NULL});

  rf_mesh *mesh;
  assert_int_equal(make_mesh(rf_mpi_size() + 1, 0, &mesh), RF_BAD_CONFIG);
  assert_null(mesh);
}

static void clear_launch(void) {
  static const char *const names[] = {"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK", "PMI_SIZE",    "PMI_RANK",
                                      "SLURM_STEP_NUM_TASKS", "SLURM_PROCID",         "SLURM_NTASKS"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) unsetenv(names[i]);
}

static void test_a_launcher_of_another_library_is_found_out(void **state) {
  (void)state;
  clear_launch();
  rf_launch launch = rf_launch_read();
  assert_int_equal(launch.ranks, 0);
  assert_ok(rf_launch_check(&launch, 1));

  setenv("SLURM_NTASKS", "4", 1); /* a batch script: nothing was started yet */
  setenv("SLURM_PROCID", "0", 1);
  launch = rf_launch_read();
  assert_ok(rf_launch_check(&launch, 1));

  setenv("SLURM_STEP_NUM_TASKS", "4", 1);
  launch = rf_launch_read();
  assert_int_equal(launch.ranks, 4);
  assert_ok(rf_launch_check(&launch, 4));
  assert_refused(rf_launch_check(&launch, 1), (const char *[]){"srun --mpi=pmix -n 4", "world of 1 rank:", NULL});

  setenv("PMI_SIZE", "3", 1); /* mpirun inside the step is what counts */
  setenv("PMI_RANK", "2", 1);
  launch = rf_launch_read();
  assert_int_equal(launch.rank, 2);
  assert_ok(rf_launch_check(&launch, 3));
  assert_refused(rf_launch_check(&launch, 1), (const char *[]){"PMI_SIZE", "mpirun -n 3", NULL});

  setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
  setenv("OMPI_COMM_WORLD_RANK", "1", 1);
  launch = rf_launch_read();
  assert_ok(rf_launch_check(&launch, 2));
  assert_refused(rf_launch_check(&launch, 1), (const char *[]){"OMPI_COMM_WORLD_SIZE", "mpirun -n 2", NULL});

  setenv("OMPI_COMM_WORLD_SIZE", "many", 1); /* not a number: says nothing */
  launch = rf_launch_read();
  assert_int_equal(launch.ranks, 3);
  clear_launch();
}

static void test_spans_are_even_whole_and_know_their_owner(void **state) {
  (void)state;
  for (int64_t total = 0; total < 40; total++)
    for (int64_t parts = 1; parts < 17; parts++) {
      int64_t next = 0;
      for (int64_t i = 0; i < parts; i++) {
        const rf_span span = rf_span_of(total, parts, i);
        assert_int_equal(span.first, next);
        assert_in_range(span.count, total / parts, (total + parts - 1) / parts);
        for (int64_t k = span.first; k < span.first + span.count; k++)
          assert_int_equal(rf_span_owner(total, parts, k), i);
        next += span.count;
      }
      assert_int_equal(next, total);
    }
  const int64_t tokens = INT64_C(1) << 40, parts = 1000003;
  for (int64_t i = 0; i < parts; i += 9973) {
    const rf_span span = rf_span_of(tokens, parts, i);
    assert_int_equal(rf_span_owner(tokens, parts, span.first), i);
    assert_int_equal(rf_span_owner(tokens, parts, span.first + span.count - 1), i);
  }
}

static void test_every_purpose_of_traffic_has_its_own_name_and_counter(void **state) {
  (void)state;
  rf_mesh *mesh;
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  assert_ok(make_mesh(1, 0, &mesh));
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) {
    for (int k = 0; k < i; k++) assert_string_not_equal(rf_traffic_name((rf_traffic)i), rf_traffic_name((rf_traffic)k));
    rf_traffic_reset(mesh);
    rf_traffic_add(mesh, (rf_traffic)i, INT64_C(5000000000));
    rf_traffic_add(mesh, (rf_traffic)i, 7);
    rf_traffic_read(mesh, bytes);
    for (int k = 0; k < RF_TRAFFIC_PURPOSES; k++) assert_int_equal(bytes[k], k == i ? INT64_C(5000000007) : 0);
  }
  rf_mesh_destroy(mesh);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sequence_ranks_stand_side_by_side_in_their_data_group),
    cmocka_unit_test(test_a_mesh_is_arranged_again_and_again),
    cmocka_unit_test(test_what_one_rank_brings_to_the_opening_all_hear),
    cmocka_unit_test(test_a_call_of_mpi_that_fails_comes_back),
    cmocka_unit_test(test_ranks_know_each_others_hosts),
    cmocka_unit_test(test_hosts_are_told_by_name_and_system),
    cmocka_unit_test(test_a_mesh_that_does_not_fit_says_what_would),
    cmocka_unit_test(test_a_launcher_of_another_library_is_found_out),
    cmocka_unit_test(test_spans_are_even_whole_and_know_their_owner),
    cmocka_unit_test(test_every_purpose_of_traffic_has_its_own_name_and_counter),
};

RANKS_MAIN(tests)
