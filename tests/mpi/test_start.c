/* Calls before MPI runs, after it has ended, and in a program that has started it itself: a status, where MPI by itself
 * would end the process. MPI starts once a process: `library` or `own` says which of the two is tried. */
#include "mpi/ranks.h"
#include "reformer/config_file.h"
#include "reformer/session.h"
#include <mpi.h>

#define REFUSED(call, says)                                                                                            \
  do {                                                                                                                 \
    assert_int_equal(call, RF_FAILED);                                                                                 \
    if (!strstr(rf_error_message(), says)) fail_msg("%s: %s", #call, rf_error_message());                              \
  } while (0)

static rf_session *session_of(rf_mesh *mesh) {
  static const char text[] = "model: {vocab_size: 128, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16,\n"
                             "        attention: local, positions: learned}\n"
                             "local: {chunk: 8}\n"
                             "data: {kind: duplicate, length: 32}\n"
                             "training: {steps: 4, batch: 4, eval_batches: 1, memory_limit: 0}\n"
                             "optimizer: {warmup: 2}\n"
                             "mesh: {data: auto}\n";
  rf_config config;
  rf_session *session;
  assert_ok(rf_config_parse("test", text, strlen(text), NULL, 0, &config));
  assert_ok(rf_session_create(&config, mesh, &session));
  return session;
}

static void test_what_needs_mpi_says_so_before_and_after(void **state) {
  rf_mesh *mesh, *other;
  rf_step_result result;
  rf_loss loss;
  (void)state;
  REFUSED(rf_mesh_open(RF_OK, &mesh), "rf_mesh_open: MPI does not run; allowed: between rf_mpi_start");
  assert_null(mesh);
  assert_ok(rf_mpi_start(NULL, NULL));
  REFUSED(rf_mpi_start(NULL, NULL), "rf_mpi_start: the MPI library was started before");
  assert_int_equal(rf_mesh_open(RF_OK, NULL), RF_BAD_CONFIG);
  assert_non_null(strstr(rf_error_message(), "rf_mesh_open: mesh: found NULL"));
  assert_ok(rf_mesh_open(RF_OK, &mesh));
  rf_session *session = session_of(mesh);
  assert_ok(rf_session_step(session, &result));
  rf_mpi_finish();
  rf_mpi_finish();
  REFUSED(rf_session_step(session, &result), "a session on a mesh: MPI does not run");
  REFUSED(rf_session_evaluate(session, RF_SPLIT_TEST, &loss), "MPI does not run");
  REFUSED(rf_session_save(session, "/nowhere"), "MPI does not run");
  REFUSED(rf_session_load(session, "/nowhere"), "MPI does not run");
  REFUSED(rf_agree(mesh, RF_OK), "a mesh: MPI does not run");
  REFUSED(rf_mesh_arrange(mesh, 1, 0), "MPI does not run");
  REFUSED(rf_mesh_open(RF_OK, &other), "rf_mesh_open: MPI does not run");
  REFUSED(rf_mpi_start(NULL, NULL), "started before");
  rf_session_destroy(session);
  rf_mesh_destroy(mesh);
}

static void test_a_program_that_has_started_mpi_itself_is_told_and_keeps_it(void **state) {
  rf_mesh *mesh;
  int finished = 1;
  (void)state;
  assert_int_equal(MPI_Init(NULL, NULL), MPI_SUCCESS);
  const rf_status status = rf_mpi_start(NULL, NULL);
  assert_int_equal(status, RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "the program has started MPI itself"));
  assert_int_equal(rf_mesh_open(status, &mesh), RF_FAILED);
  assert_null(mesh);
  rf_mpi_finish();
  assert_int_equal(MPI_Finalized(&finished), MPI_SUCCESS);
  assert_false(finished);
  assert_int_equal(MPI_Finalize(), MPI_SUCCESS);
  REFUSED(rf_mpi_start(NULL, NULL), "the program has started MPI itself");
}

int main(int argc, char **argv) {
  const struct CMUnitTest library[] = {cmocka_unit_test(test_what_needs_mpi_says_so_before_and_after)};
  const struct CMUnitTest own[] = {cmocka_unit_test(test_a_program_that_has_started_mpi_itself_is_told_and_keeps_it)};
  if (argc == 2 && strcmp(argv[1], "own") == 0) return cmocka_run_group_tests(own, NULL, NULL);
  return cmocka_run_group_tests(library, NULL, NULL);
}
