/* What the launcher believes. A launcher and an MPI library that do not fit start N worlds of one rank each, and every
 * one of them would train the whole model; the environment tells. */
#ifndef RF_COMM_LAUNCH_H
#define RF_COMM_LAUNCH_H

#include "reformer/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct rf_launch {
  int64_t ranks;        /* that were asked for; 0: nothing says */
  int64_t rank;         /* of this process, as the launcher counts; 0 where nothing says */
  const char *variable; /* of the environment, that says it; NULL: none does */
} rf_launch;

/* Reads the environment of the innermost launcher: OMPI_COMM_WORLD_SIZE (Open MPI's mpirun), else PMI_SIZE (MPICH's
 * and Intel's mpirun, srun --mpi=pmi2), else SLURM_STEP_NUM_TASKS beside SLURM_PROCID (srun). SLURM_NTASKS alone says
 * nothing: a batch script has it too. What is typed in a shell that srun started inherits srun's variables, and no
 * launcher started it: known by the shell's job control. Call before MPI starts: an MPI library started alone may set
 * some of them. */
rf_launch rf_launch_read(void);

/* The same for a program that starts no MPI, where nothing else can tell: srun's variables count only in a process
 * that is srun's own child. */
rf_launch rf_launch_read_copies(void);

/* Whether the launcher is an srun that gave its tasks nothing to find each other by: MPI would make a world of each, or
 * end the process. */
bool rf_launch_is_bare(const rf_launch *launch);

/* Call before MPI starts. A process that no launcher started needs neither Open MPI's daemon (which wants ssh on PATH
 * and a folder for temporary files) nor its network: its environment says so from now on. Warns of an srun that gave
 * its tasks nothing to find each other by. RF_FAILED for memory. */
rf_status rf_launch_settle(const rf_launch *launch);

/* RF_BAD_CONFIG where more ranks were asked for than the world has; the message says how to start it right. */
rf_status rf_launch_check(const rf_launch *launch, int64_t world_size);

#endif
