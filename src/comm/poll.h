/* Communication under way. Operations are started, travel while the caller computes, and are waited for:
 *
 *   start ----------- rf_mesh_poll ---- rf_mesh_poll ----- wait
 *         compute ...              ...               ...
 *
 * Messages move only inside calls: who computes for long calls rf_mesh_poll every 100 microseconds or so, from the main
 * thread (with OpenMP, thread 0 of a parallel region counts as it). Everything that waits moves all operations, not
 * only its own, and notices when another rank has failed. */
#ifndef RF_COMM_POLL_H
#define RF_COMM_POLL_H

#include "reformer/error.h"
#include "reformer/mesh_view.h"

typedef struct rf_flight rf_flight; /* one operation under way; owned by the mesh, gone after rf_flight_wait */

/* Moves whatever is under way; cheap where nothing is. RF_FAILED where MPI reports an error. mesh NULL: nothing. */
rf_status rf_mesh_poll(rf_mesh *mesh);
/* ... from work that many threads share, on any of them: only the main thread's call does it. A failure is met again by
 * whoever waits. */
void rf_mesh_poll_within(rf_mesh *mesh);

/* Whether operations are under way: what was lent to them must stay, after a failure until the process ends. mesh NULL:
 * none. */
bool rf_mesh_is_flying(const rf_mesh *mesh);

/* Whether it is over, here, and rf_flight_wait will not wait. NULL: it is. */
bool rf_flight_is_done(const rf_flight *flight);

/* Returns when the operation is over, here. Fails with the other rank's status and message where another rank has
 * reported a failure (rf_agree); the operation's buffers must then stay until MPI is finished. NULL is fine. */
rf_status rf_flight_wait(rf_flight *flight);

#endif
