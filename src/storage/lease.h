/* The holder's line as a lease, for file systems without locks.
 *
 *   FOLDER/lock          the line (storage/holder.h), written again by its holder every `beat` seconds
 *   FOLDER/lock.after-A  who takes over from attempt A, whose lease is stale: a hard link, which one can make at a time
 *
 * Who owns it is found by going from lock to lock.after-A and on to the last. Whoever took over then moves its line to
 * `lock`; killed in between, it is found by that way and grows stale there. */
#ifndef RF_STORAGE_LEASE_H
#define RF_STORAGE_LEASE_H

#include "reformer/error.h"

/* Seconds: between two renewals, after which one is stale, and between two looks at somebody else's. */
typedef struct rf_lease_times {
  double beat, stale, look;
  double (*now)(void);           /* by which another's grows stale, and how two looks are kept apart; NULL: the clock */
  void (*pause)(double seconds); /* NULL: sleep */
} rf_lease_times;

double rf_lease_now(const rf_lease_times *times);
void rf_lease_pause(const rf_lease_times *times, double seconds);

typedef struct rf_lease rf_lease;

/* Waits until another's lease is stale: `stale` seconds in which it was watched and not renewed, whatever its time
 * says. RF_BAD_CONFIG as soon as it is renewed. */
rf_status rf_lease_take(const char *path, const char *attempt, const rf_lease_times *times, rf_lease **lease);
/* Ends the renewals, and the lease if it is still this one. */
void rf_lease_release(rf_lease *lease);

#endif
