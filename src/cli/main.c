#include "base/log.h"
#include "base/process.h"
#include "cli/program.h"
#include "comm/agree.h"
#include "comm/host.h"
#include "comm/mesh.h"
#include <cblas.h>
#include <omp.h>
#include <signal.h>
#include <stdlib.h>

/* Threads are OpenMP's; a BLAS that started its own inside each of them would run at a third of the speed. The number
 * is set last, as an OpenBLAS that was built with OpenMP changes it. Ranks that may run on the same cores divide them.
 */
static rf_status set_up_threads(const rf_mesh *mesh) {
  int threads = omp_get_max_threads();
  const int sharers = rf_host_sharers(mesh);
  if (!getenv("OMP_NUM_THREADS"))
    threads = rf_process_cores() / sharers > 1 ? rf_process_cores() / sharers : 1;
  else if (threads * sharers > rf_process_cores() && sharers > 1)
    rf_log_warn("OMP_NUM_THREADS is %d, but %d ranks share %d cores: unset it, or bind ranks to cores of their own",
                threads, sharers, rf_process_cores());
  openblas_set_num_threads(1);
  omp_set_num_threads(threads);
  return RF_OK;
}

int main(int argc, char **argv) {
  rf_mesh *mesh;
  (void)signal(SIGXFSZ, SIG_IGN); /* a file at its limit (ulimit -f) fails as a full disk does: a run goes on */
  rf_status status = rf_mesh_open(rf_mpi_start(&argc, &argv), &mesh);
  rf_log_set_rank(rf_mpi_rank());
  if (status == RF_OK) status = rf_agree(mesh, set_up_threads(mesh));
  if (status == RF_OK) status = rf_agree(mesh, rf_program_run(argc, argv, mesh));
  rf_log_status("");
  if (status != RF_OK && status != RF_STOPPED) {
    rf_log_error("%s", rf_error_message());
    if (rf_log_is_verbose() && rf_error_trace()[0] != '\0') rf_log_info("passed through: %s", rf_error_trace());
  }
  rf_status closed = rf_log_close();
  if (closed != RF_OK && status == RF_OK) {
    status = closed;
    rf_log_error("%s", rf_error_message());
  }
  /* After a failure on several ranks messages may still be under way. */
  if (status == RF_OK || status == RF_STOPPED || rf_mpi_size() == 1) rf_mesh_destroy(mesh);
  /* Every rank finalises before any ends with a status: the launcher kills the others at the first that is not 0. */
  rf_mpi_finish();
  return (int)status;
}
