/* Collective operations on a few numbers. All ranks of the scope call them in the same order; all get the same bits,
 * whatever arrives first: sums go in rank order. They return when they are done (and move everything else that is
 * under way meanwhile). Errors: RF_FAILED for memory and MPI, or the failure of another rank (reformer/agree.h).
 *
 * Bytes are counted by the messages that are sent: n numbers travel to every other rank, or, where n is more than a
 * few, by slices: to the slice's owner, who sums, and from there to all, 2 n at most. */
#ifndef RF_COMM_COLLECTIVE_H
#define RF_COMM_COLLECTIVE_H

#include "comm/mesh_view.h"
#include "comm/poll.h"
#include "reformer/error.h"
#include <stdint.h>

/* values: [n], in and out. */
rf_status rf_sum_doubles(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, double *values);
rf_status rf_sum_integers(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, int64_t *values);
/* A NaN on any rank gives NaN. */
rf_status rf_max_doubles(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, double *values);

/* own: [n]; all: [size of the scope, n]. */
rf_status rf_gather_doubles(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, const double *own,
                            double *all);
rf_status rf_gather_integers(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, const int64_t *own,
                             int64_t *all);

/* data: [bytes], in on rank `root` of the scope, out on the others. The root sends it to each. */
rf_status rf_broadcast(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int root, void *data, int64_t bytes);

/* Rank 0's, for all ranks of the world. */
rf_status rf_share(rf_mesh *mesh, void *data, int64_t bytes);

/* The other way: own: [bytes]; all: [ranks of the world, bytes] on rank 0, not used on the others. Each sends its own
 * to rank 0. The memory may go after a failure, too. */
rf_status rf_collect_bytes(rf_mesh *mesh, rf_traffic purpose, const void *own, int64_t bytes, void *all);

/* Starts to send to one rank of the scope and to receive from another, who names this one; -1: to or from nobody.
 * Buffers are lent until rf_flight_wait. A rank may be its own partner: then the bytes are copied. */
typedef struct rf_shift {
  int to, from;
  const void *send;
  void *receive;
  int64_t send_bytes, receive_bytes;
} rf_shift;

rf_status rf_shift_start(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, const rf_shift *shift, rf_flight **flight);

#endif
