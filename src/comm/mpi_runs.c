#include "comm/mpi_runs.h"
#include "base/every_processor.h"
#include <mpi.h>

bool rf_mpi_runs(void) {
  int started = 0, finished = 0;
  (void)MPI_Initialized(&started);
  (void)MPI_Finalized(&finished);
  return started && !finished;
}

rf_status rf_mpi_check_runs(const char *who) {
  int started = 0;
  if (rf_mpi_runs()) return RF_OK;
  (void)MPI_Initialized(&started);
  return rf_fail(RF_FAILED, "%s: MPI does not run; allowed: between rf_mpi_start and rf_mpi_finish%s", who,
                 started ? "" : ", or no mesh (NULL) for this process alone");
}
