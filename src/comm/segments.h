/* One flat vector cut over all ranks of the world: gathered whole on every rank, or summed so that each rank keeps its
 * segment. Segments may be uneven and empty; all ranks give the same cut.
 *
 *   full    | segment 0 | segment 1 |   | segment 3 |        first = {0, 4, 8, 8, 12}: rank 2 owns nothing
 *           first[0]    first[1]        first[3]   first[size]
 *
 * Both are under way after start and over after rf_flight_wait; `first` and `full` are lent until then. */
#ifndef RF_COMM_SEGMENTS_H
#define RF_COMM_SEGMENTS_H

#include "comm/poll.h"
#include "comm/scope.h"
#include "reformer/real.h"
#include <stdint.h>

/* full: [first[size]]; this rank's segment in, all others out. Sends (size - 1) times the own segment. */
rf_status rf_all_gather_start(rf_mesh *mesh, rf_traffic purpose, const int64_t *first, real *full, rf_flight **flight);

/* full: in, this rank's addends; out, the sum over ranks in this rank's segment; the rest of it is used up. Segment i
 * is summed from rank i + 1 on around the ring, so the bits do not depend on what arrives first. Sends all but the own
 * segment, once. */
rf_status rf_reduce_scatter_start(rf_mesh *mesh, rf_traffic purpose, const int64_t *first, real *full,
                                  rf_flight **flight);

#endif
