/* One piece of work at a time on a thread of its own, that calls neither MPI nor HDF5 nor the log.
 *
 *   main thread    start ----- is_done? no ----- is_done? yes -- end: status and message, as if it had been done here
 *   writer             | job ............ status, message, done |
 *
 * What the two share: before start and after is_done has said yes, all of the job's data are the main thread's; in
 * between they are the writer's. The flag `done` passes them on; no other word is written on one side and read on the
 * other, but for what a job takes as a flag to be stopped by. */
#ifndef RF_STORAGE_WRITER_H
#define RF_STORAGE_WRITER_H

#include "reformer/error.h"
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

enum { RF_WRITER_MESSAGE = 2048 };

typedef rf_status (*rf_job)(void *context);

/* All zero: nothing is under way. */
typedef struct rf_writer {
  bool started, has_thread;
  pthread_t thread;
  atomic_bool done;
  rf_job job;
  void *context;
  rf_status status;
  char message[RF_WRITER_MESSAGE];
} rf_writer;

/* aside: on a thread; where none can be made, or with aside false, the job is done when this returns. The writer must
 * stay where it is until the end. Signals go to other threads. */
void rf_writer_start(rf_writer *writer, bool aside, rf_job job, void *context);
/* Nothing is under way any more. */
bool rf_writer_is_done(const rf_writer *writer);
/* Waits, and returns what the job returned, with its message. RF_OK where nothing was started. */
rf_status rf_writer_end(rf_writer *writer);

#endif
