/* Programs that mpirun starts on several ranks. A rank that fails aborts (CMOCKA_TEST_ABORT), so that the others do not
 * wait for it. */
#ifndef TESTS_MPI_RANKS_H
#define TESTS_MPI_RANKS_H

#include "comm/collective.h"
#include "comm/host.h"
#include "comm/mesh.h"
#include "reformer/agree.h"
#include "support/numbers.h"
#include <stdarg.h>
#include <unistd.h>

static inline rf_status make_mesh(int64_t sequence, int64_t data, rf_mesh **mesh) {
  RF_TRY(rf_mesh_open(RF_OK, mesh));
  const rf_status status = rf_mesh_arrange(*mesh, sequence, data);
  if (status == RF_OK) return RF_OK;
  rf_mesh_destroy(*mesh);
  *mesh = NULL;
  return status;
}

/* Runs `body` for every way to make the world a mesh. */
static inline void on_every_mesh(void (*body)(rf_mesh *mesh)) {
  for (int sequence = 1; sequence <= rf_mpi_size(); sequence++) {
    if (rf_mpi_size() % sequence != 0) continue;
    rf_mesh *mesh;
    assert_ok(make_mesh(sequence, 0, &mesh));
    assert_true(rf_mesh_is_valid(mesh));
    body(mesh);
    assert_true(rf_mesh_is_valid(mesh));
    assert_ok(rf_agree(mesh, RF_OK));
    rf_mesh_destroy(mesh);
  }
}

/* The present message is the text, of rank `rank` on its host. */
__attribute__((format(printf, 3, 4))) static inline void assert_told_by(const rf_mesh *mesh, int rank,
                                                                        const char *format, ...) {
  char text[256], expected[512];
  va_list arguments;
  va_start(arguments, format);
  (void)vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  (void)snprintf(expected, sizeof expected, "rank %d on host %s: %s", rank, rf_host_name(mesh, rank), text);
  assert_string_equal(rf_error_message(), expected);
}

/* Ranks come at different times, so that an order of arrival would show. */
static inline void arrive_late(rf_mesh *mesh, int turn) {
  const int late = (rf_mesh_rank(mesh) * 7 + turn * 5) % 4;
  (void)usleep((useconds_t)(late * 300));
}

/* What tables of these tests have room for. */
enum { MOST_TEST_RANKS = 16 };

static inline int ranks_fit(void) {
  if (rf_mpi_size() <= MOST_TEST_RANKS) return 1;
  (void)fprintf(stderr, "%d ranks; these tests run on %d at most\n", rf_mpi_size(), MOST_TEST_RANKS);
  return 0;
}

#define RANKS_MAIN(tests)                                                                                              \
  int main(int argc, char **argv) {                                                                                    \
    int failed = rf_mpi_start(&argc, &argv) != RF_OK;                                                                  \
    if (failed) (void)fprintf(stderr, "%s\n", rf_error_message());                                                     \
    failed = failed || !ranks_fit() || cmocka_run_group_tests(tests, NULL, NULL) != 0;                                 \
    rf_mpi_finish();                                                                                                   \
    return failed;                                                                                                     \
  }

#endif
