/* What the launcher believes. A launcher and an MPI library that do not fit start N worlds of one rank each, and every
 * one of them would train the whole model; the environment tells. */
#ifndef RF_COMM_LAUNCH_H
#define RF_COMM_LAUNCH_H

#include "reformer/error.h"
#include <stdint.h>

typedef struct rf_launch {
  int64_t ranks;        /* that were asked for; 0: nothing says */
  int64_t rank;         /* of this process, as the launcher counts; 0 where nothing says */
  const char *variable; /* of the environment, that says it; NULL: none does */
} rf_launch;

/* Reads the environment of the innermost launcher: OMPI_COMM_WORLD_SIZE (Open MPI's mpirun), else PMI_SIZE (MPICH's
 * and Intel's mpirun, srun --mpi=pmi2), else SLURM_STEP_NUM_TASKS beside SLURM_PROCID (srun). SLURM_NTASKS alone says
 * nothing: a batch script has it too. Call before MPI starts: an MPI library started alone may set some of them. */
rf_launch rf_launch_read(void);

/* RF_BAD_CONFIG where more ranks were asked for than the world has; the message says how to start it right. */
rf_status rf_launch_check(const rf_launch *launch, int64_t world_size);

#endif
