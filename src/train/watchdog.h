/* Ends a run in which a step does not end, after every rank has said what it does: a rank that hangs keeps all others
 * waiting, and nobody who waits can tell whom for.
 *
 *   error: rank 0 on node07: step 812 exceeds training.step_timeout = 600 s; it has waited 599.2 s for rows
 *   error: rank 1 on node08: step 812 exceeds training.step_timeout = 600 s; it does not wait for other ranks
 *
 * A thread of its own looks at the clock: the main thread may be deep inside a library. It makes no MPI calls, so it
 * cannot agree with the other ranks on an end: it gives them time to say theirs and ends the process with status 1.
 * This is the one place below main that ends it. */
#ifndef RF_TRAIN_WATCHDOG_H
#define RF_TRAIN_WATCHDOG_H

#include "comm/mesh.h"

typedef struct rf_watchdog rf_watchdog;

/* mesh: lent, outlives the watchdog. limit: seconds; 0: *watchdog is NULL, which is fine below; NaN: learned from the
 * steps. RF_FAILED where no thread can be started. */
rf_status rf_watchdog_start(const rf_mesh *mesh, double limit, rf_watchdog **watchdog);
void rf_watchdog_stop(rf_watchdog *watchdog);

/* From now on `step` has `limit` seconds in which the process runs, until the next call of either. */
void rf_watchdog_watch(rf_watchdog *watchdog, int64_t step);
void rf_watchdog_rest(rf_watchdog *watchdog);

/* Seconds of the longest step so far, less what the process stood still for; 0: none has ended. */
double rf_watchdog_longest(rf_watchdog *watchdog);

/* Seconds that a step may take where the longest so far took `longest` (0: none has ended). A first step that is slow
 * looks like one that hangs: where the limit is to be learned it has hours, and it ends. */
double rf_watchdog_limit(double limit, double longest);

#endif
