/* What a number of threads is chosen from (reformer/threads.h). */
#ifndef RF_SESSION_THREADS_H
#define RF_SESSION_THREADS_H

#include "reformer/threads.h"

typedef struct rf_threads_room {
  int cores, sharers; /* of the process; ranks that share them */
  double quota;       /* of CPU time, in cores, rounded up; infinity: none */
  int quota_sharers;  /* ranks that share it */
} rf_threads_room;

RF_API_BEGIN /* for main, beside the library */

/* The first number of OMP_NUM_THREADS, a number or, for nested teams, several with commas; 0: text is NULL, or none. */
int rf_threads_read(const char *text);

RF_API_END

/* A rank's share of its cores, and of the quota where that is less; at least 1. */
int rf_threads_fitting(const rf_threads_room *room);

#endif
