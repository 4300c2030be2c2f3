/* How many threads a rank computes with, and where they run. */
#ifndef RF_CLI_THREADS_H
#define RF_CLI_THREADS_H

#include "comm/mesh.h"

/* What a number of threads is chosen from. */
typedef struct rf_threads_room {
  int cores, sharers; /* of the process; ranks that share them */
  double quota;       /* of CPU time, in cores, rounded up; infinity: none */
  int quota_sharers;  /* ranks that share it */
} rf_threads_room;

/* A rank's share of its cores, and of the quota where that is less; at least 1. */
int rf_threads_fitting(const rf_threads_room *room);

/* Sets OpenMP's and OpenBLAS's threads, and warns of an OMP_NUM_THREADS that does not fit. mesh NULL: of a command that
 * runs alone, for which it need not. */
void rf_threads_start(const rf_mesh *mesh);

#endif
