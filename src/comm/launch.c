#include "comm/launch.h"
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

/* The whole number in a variable; -1 where there is none. */
static int64_t number_in(const char *variable) {
  const char *text = getenv(variable);
  if (!text || *text == '\0') return -1;
  char *end;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  return errno == 0 && *end == '\0' && value >= 0 ? value : -1;
}

rf_launch rf_launch_read(void) {
  static const struct {
    const char *size, *rank;
  } launchers[] = {{"OMPI_COMM_WORLD_SIZE", "OMPI_COMM_WORLD_RANK"},
                   {"PMI_SIZE", "PMI_RANK"},
                   {"SLURM_STEP_NUM_TASKS", "SLURM_PROCID"}};
  for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
    const int64_t ranks = number_in(launchers[i].size), rank = number_in(launchers[i].rank);
    if (ranks > 0 && rank >= 0) return (rf_launch){ranks, rank, launchers[i].size};
  }
  return (rf_launch){0, 0, NULL};
}

rf_status rf_launch_check(const rf_launch *launch, int64_t world_size) {
  if (launch->ranks <= world_size) return RF_OK;
  const long long wanted = (long long)launch->ranks;
  if (strcmp(launch->variable, "SLURM_STEP_NUM_TASKS") == 0)
    return rf_fail(RF_BAD_CONFIG,
                   "srun started %lld tasks (%s), but MPI sees a world of %lld rank%s: srun and the MPI library do not "
                   "speak the same protocol; allowed: srun --mpi=pmix -n %lld reformer ... (srun --mpi=list names what "
                   "there is), or mpirun -n %lld reformer ... inside the allocation",
                   wanted, launch->variable, (long long)world_size, world_size == 1 ? "" : "s", wanted, wanted);
  return rf_fail(RF_BAD_CONFIG,
                 "the launcher started %lld ranks (%s), but MPI sees a world of %lld rank%s: the launcher belongs to "
                 "another MPI library than the program; allowed: /path/of/the/same/MPI/bin/mpirun -n %lld reformer ... "
                 "(ldd on the program names its libmpi)",
                 wanted, launch->variable, (long long)world_size, world_size == 1 ? "" : "s", wanted);
}
