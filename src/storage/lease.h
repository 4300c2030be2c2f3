/* The line that says who owns a run's folder; and that line as a lease, for file systems without locks.
 *
 *   FOLDER/lock          "host H\npid P\njob J\nattempt A\nsince T\n", written again by the owner every `beat` s
 *
 *   FOLDER/lock.after-A  who takes over from attempt A, whose lease is stale: a hard link, which one can make at a time
 *
 * Who owns it is found by going from lock to lock.after-A and on to the last. Whoever took over then moves its line to
 * `lock`; killed in between, it is found by that way and grows stale there. */
#ifndef RF_STORAGE_LEASE_H
#define RF_STORAGE_LEASE_H

#include "storage/attempt.h"
#include "storage/lock.h"
#include <time.h>

enum { RF_MAX_OWNER = 1024 };

/* --- the owner's line --------------------------------------------------------------------------- */

/* Of this process; attempt: under which it owns. */
void rf_owner_describe(const char *attempt, char text[RF_MAX_OWNER]);
/* The text of a file, and when it was last written: of one and the same file, however names move meanwhile. *there:
 * false where no file has that name. RF_FAILED where it cannot be read. */
rf_status rf_owner_look(const char *path, char text[RF_MAX_OWNER], struct timespec *renewed, bool *there);
/* The text alone. RF_FAILED where there is none. */
rf_status rf_owner_read(const char *path, char text[RF_MAX_OWNER]);
rf_status rf_owner_read_open(int file, const char *path, char text[RF_MAX_OWNER]);
/* Empty where there is none. */
void rf_owner_attempt(const char *text, char attempt[RF_ATTEMPT_LENGTH + 1]);
/* "host H, process P, job J, since T". Returns line. */
const char *rf_owner_line(const char *text, char line[RF_MAX_OWNER]);
/* RF_BAD_CONFIG: the folder belongs to the owner of this text, and what to do. */
rf_status rf_owner_refuse(const char *path, const char *text);

/* --- the lease ---------------------------------------------------------------------------------- */

/* Seconds: between two renewals, after which one is stale, and between two looks at somebody else's. */
typedef struct rf_lease_times {
  double beat, stale, look;
} rf_lease_times;

typedef struct rf_lease rf_lease;

/* Waits until another's lease is stale: `stale` seconds in which it was watched and not renewed, whatever its time
 * says. RF_BAD_CONFIG as soon as it is renewed. */
rf_status rf_lease_take(const char *path, const char *attempt, const rf_lease_times *times, rf_lease **lease);
/* Ends the renewals, and the lease if it is still this one. */
void rf_lease_release(rf_lease *lease);

/* rf_lock_take with other times, for tests. */
rf_status rf_lock_take_timed(const char *folder, rf_lock_kind kind, const rf_lease_times *times, rf_lock **lock);

#endif
