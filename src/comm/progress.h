/* Communication under way. Operations are started, travel while the caller computes, and are waited for:
 *
 *   start ----------- rf_progress ---- rf_progress ----- wait
 *         compute ...             ...               ...
 *
 * Messages move only inside calls: who computes for long calls rf_progress every 100 microseconds or so, from the main
 * thread (with OpenMP, thread 0 of a parallel region counts as it). Everything that waits moves all operations, not
 * only its own, and notices when another rank has failed. */
#ifndef RF_COMM_PROGRESS_H
#define RF_COMM_PROGRESS_H

#include "comm/mesh.h"

typedef struct rf_flight rf_flight; /* one operation under way; owned by the mesh, gone after rf_flight_wait */

/* Moves whatever is under way; cheap where nothing is. RF_FAILED where MPI reports an error. */
rf_status rf_progress(rf_mesh *mesh);

bool rf_flight_arrived(const rf_flight *flight); /* would rf_flight_wait return at once? */

/* Returns when the operation is over, here. Fails with the other rank's status and message where another rank has
 * reported a failure (rf_agree); the operation's buffers must then stay until MPI is finished. NULL is fine. */
rf_status rf_flight_wait(rf_flight *flight);

#endif
