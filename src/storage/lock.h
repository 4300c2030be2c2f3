/* Who may write into a run's folder: the one job that holds its lock.
 *
 * FOLDER/lock holds a line of who has it (host, process, job, attempt) and a kernel lock (fcntl) that dies with its
 * holder. Where the file system has no locks, the line is a lease: renewed by a heartbeat, and stale 60 s after the
 * last one, under the eyes of whoever wants it (storage/lease.h). */
#ifndef RF_STORAGE_LOCK_H
#define RF_STORAGE_LOCK_H

#include "reformer/error.h"
#include "storage/lease.h"

typedef struct rf_lock rf_lock;

typedef enum rf_lock_kind { RF_LOCK_BEST, RF_LOCK_LEASE } rf_lock_kind; /* best: the kernel's where there are any */

/* By one rank of a job. folder: exists. RF_BAD_CONFIG where another job holds it: the message names the holder and what
 * to do. */
rf_status rf_lock_take(const char *folder, rf_lock_kind kind, rf_lock **lock);
/* With other times than a run's, for tests. */
rf_status rf_lock_take_timed(const char *folder, rf_lock_kind kind, const rf_lease_times *times, rf_lock **lock);
/* The lock is still this job's; else RF_FAILED, which names the new holder. Before every rename. */
rf_status rf_lock_check(const rf_lock *lock);
const char *rf_lock_attempt(const rf_lock *lock); /* 16 hexadecimal digits, drawn when it was taken */
/* By the other ranks of the job, who must reach the folder too: RF_BAD_CONFIG where its lock is not the one of that
 * attempt for `seconds`. A network file system may show its state of a while ago. */
rf_status rf_lock_see(const char *folder, const char *attempt, double seconds);
rf_status rf_lock_see_timed(const char *folder, const char *attempt, double seconds, const rf_lease_times *times);
/* Longer than a file system shows the past, where the lock is seen at last: some seconds, or a minute where it is no
 * known file system of one machine. */
double rf_lock_patience(const char *folder);
/* NULL is fine. Sets no message: what went wrong before is still to be told. */
void rf_lock_release(rf_lock *lock);

#endif
