/* A batch of messages between ranks of a group, under way while the caller computes. For comm/ only.
 *
 * Sends and receives are posted in the order in which they were added, a window of each at a time. All ranks add them
 * by distance (to rank + d, from rank - d, d = 1, 2, ...), so that no rank is flooded and none waits in a circle: of
 * all messages that are not yet over anywhere, the one of the smallest distance stands first in the queue of its sender
 * and of its receiver, so it is posted on both sides. */
#ifndef RF_COMM_FLIGHT_H
#define RF_COMM_FLIGHT_H

#include "comm/mesh_state.h"
#include "reformer/mesh_view.h"

/* unit: bytes of a row; counts below are in rows. what: static text. At most one message to and one from each rank. */
rf_status rf_flight_open(rf_mesh *mesh, rf_scope scope, const char *what, int64_t unit, rf_flight **flight);
/* Empty ones are left out, on both sides. Buffers are lent until the flight has been waited for. */
void rf_flight_send(rf_flight *flight, int peer, const void *data, int64_t count);
void rf_flight_receive(rf_flight *flight, int peer, void *data, int64_t count);
/* Posts the first messages. */
rf_status rf_flight_launch(rf_flight *flight);

/* A free slot with a tag of its own, for operations that post their own messages. */
rf_status rf_flight_take(rf_mesh *mesh, rf_scope scope, const char *what, rf_flight **flight);
void rf_flight_free(rf_flight *flight);

/* After a failure: its receives are given up, so that what they would have filled is the caller's again. */
void rf_flight_call_off(rf_flight *flight);

#endif
