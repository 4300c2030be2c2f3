/* For LD_PRELOAD: on rank SLOW_RANK (of Open MPI's mpirun) MPI_Test says "not yet" for SLOW_SECONDS from its first call
 * on, as where the network is slow. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <time.h>

int PMPI_Test(void *request, int *done, void *status);

static double seconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

int MPI_Test(void *request, int *done, void *status) {
  static double start = -1;
  const char *rank = getenv("OMPI_COMM_WORLD_RANK"), *slow = getenv("SLOW_RANK"), *wait = getenv("SLOW_SECONDS");
  if (start < 0) start = seconds();
  if (rank && slow && wait && strcmp(rank, slow) == 0 && seconds() - start < atof(wait)) {
    *done = 0;
    return 0;
  }
  return PMPI_Test(request, done, status);
}
