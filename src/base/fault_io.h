/* Disks that fail on request, so that tests can see what is left behind. Only builds with RF_FAULTS have them (the
 * presets debug and double); in others this costs nothing.
 *
 *   REFORMER_IO_FAULT=RANK:FIRST[-LAST]:KIND        of the calls of one rank that write to the disk, counted from the
 *   start of the run's checkpoints, the FIRST to the LAST:
 *     ENOSPC, EIO, EACCES   fail so
 *     KILL                  is not made: the process is killed in front of it (SIGKILL) */
#ifndef RF_BASE_FAULT_IO_H
#define RF_BASE_FAULT_IO_H

#include "reformer/error.h"
#include <stdbool.h>
#include <stdint.h>

#ifdef RF_FAULTS

enum { RF_FAULT_KILL = -1 };

/* From now on calls are counted from 1, and `first` to `last` fail with `error` (of errno.h), or are not reached
 * (RF_FAULT_KILL). first 0: none does. */
void rf_fault_io_arm(int64_t first, int64_t last, int error);
int64_t rf_fault_io_calls(void); /* so far */
/* Arms as the variable says, if it speaks of this rank. RF_BAD_CONFIG where it says something else. */
rf_status rf_fault_io_read(int rank);

/* In front of every call that writes; from any thread. True: errno is set, and the call is not to be made. */
bool rf_io_fails(void);

#else

static inline rf_status rf_fault_io_read(int rank) {
  (void)rank;
  return RF_OK;
}

static inline bool rf_io_fails(void) { return false; }

#endif
#endif
