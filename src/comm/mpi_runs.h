/* Whether MPI may be asked for anything: before its start, after its end, and where the start failed, a call ends the
 * process. */
#ifndef RF_COMM_MPI_RUNS_H
#define RF_COMM_MPI_RUNS_H

#include "reformer/error.h"
#include <stdbool.h>

bool rf_mpi_runs(void);
/* RF_FAILED where MPI was not started, or has ended. who: for the message. */
rf_status rf_mpi_check_runs(const char *who);

#endif
