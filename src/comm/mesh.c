#include "comm/mesh.h"
#include <mpi.h>

rf_status rf_mpi_start(int *argc, char ***argv) {
  int provided = MPI_THREAD_SINGLE;
  if (MPI_Init_thread(argc, argv, MPI_THREAD_FUNNELED, &provided) != MPI_SUCCESS) {
    return rf_fail(RF_FAILED, "MPI could not be started");
  }
  if (provided < MPI_THREAD_FUNNELED) {
    return rf_fail(RF_FAILED, "this MPI library cannot be used by a program with threads (it offers level %d, not %d)",
                   provided, MPI_THREAD_FUNNELED);
  }
  return RF_OK;
}

void rf_mpi_finish(void) {
  int started = 0, finished = 0;
  (void)MPI_Initialized(&started);
  (void)MPI_Finalized(&finished);
  if (started && !finished) (void)MPI_Finalize();
}

int rf_mpi_rank(void) {
  int rank = 0;
  (void)MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return rank;
}

int rf_mpi_size(void) {
  int size = 1;
  (void)MPI_Comm_size(MPI_COMM_WORLD, &size);
  return size;
}
