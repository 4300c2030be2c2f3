/* Time that this rank stands still for others: communication that was not hidden. */
#ifndef RF_COMM_WAITING_H
#define RF_COMM_WAITING_H

#include "reformer/mesh_view.h"

/* For comm/ only: it does from here to there. what: static text. */
void rf_waiting_start(rf_mesh *mesh, const char *what);
void rf_waiting_end(rf_mesh *mesh);
/* A new mesh has not waited yet. */
void rf_waiting_reset(rf_mesh *mesh);

/* Seconds so far. */
double rf_mesh_wait_seconds(const rf_mesh *mesh);
/* What it is waiting for now, or has waited for last; never NULL. *seconds: for how long by now; below 0: it does not
 * wait. From any thread: for a watchdog. mesh NULL: it never waits. */
const char *rf_mesh_waiting_for(const rf_mesh *mesh, double *seconds);

#endif
