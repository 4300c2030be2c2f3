#include "comm/segments.h"
#include "comm/flight.h"
#include "comm/traffic.h"
#include <assert.h>
#include <stdlib.h>

/* Bytes of a piece: large enough to reach full speed, small enough that adding one hides behind the next. */
enum { PIECE_BYTES = 1 << 18 };

rf_status rf_all_gather_start(rf_mesh *mesh, rf_traffic purpose, const int64_t *first, real *full, rf_flight **flight) {
  const int size = rf_mesh_size(mesh), rank = rf_mesh_rank(mesh);
  const int64_t own = first[rank + 1] - first[rank];
  RF_TRY(rf_flight_open(mesh, RF_SCOPE_WORLD, "an all-gather", sizeof *full, flight));
  for (int d = 1; d < size; d++) {
    const int to = (rank + d) % size, from = (rank - d + size) % size;
    rf_flight_receive(*flight, from, full + first[from], first[from + 1] - first[from]);
    rf_flight_send(*flight, to, full + first[rank], own);
  }
  rf_traffic_add(mesh, purpose, own * (int64_t)sizeof *full * (size - 1));
  return rf_flight_launch(*flight);
}

/* The ring, size 4, seen by rank 0; segments are cut in pieces, which follow each other without a pause:
 *
 *   step      sends segment (to rank 1)     receives segment (from rank 3), adds its own
 *    0               3                              2
 *    1               2  (as received)               1
 *    2               1                              0   done
 *
 * A piece of step k + 1 can be sent once the same piece of step k has been received and added. Counted in order, the
 * sent pieces after step 0 are the received ones. */
static int64_t segment(const rf_group *group, int step, bool sends) {
  return (group->rank - step - (sends ? 1 : 2) + 2 * group->size) % group->size;
}

static int64_t length(const rf_flight *flight, int step, bool sends) {
  const int64_t s = segment(flight->group, step, sends);
  return flight->ring.first[s + 1] - flight->ring.first[s];
}

static int64_t pieces(const rf_flight *flight, int step, bool sends) {
  return (length(flight, step, sends) + flight->ring.piece - 1) / flight->ring.piece;
}

/* Where the piece at a place lies; the place is moved on first over steps whose segments are used up. */
static real *piece_at(const rf_flight *flight, rf_reduction_place *place, bool sends, int64_t *count) {
  while (place->offset >= length(flight, place->step, sends)) {
    place->step++;
    place->offset = 0;
  }
  const int64_t left = length(flight, place->step, sends) - place->offset;
  *count = left < flight->ring.piece ? left : flight->ring.piece;
  return flight->ring.full + flight->ring.first[segment(flight->group, place->step, sends)] + place->offset;
}

static void move_on(rf_reduction_place *place, int64_t count) {
  place->offset += count;
  place->unit++;
}

static rf_status post_receives(rf_flight *flight) {
  rf_reduction *ring = &flight->ring;
  const int from = (flight->group->rank - 1 + flight->group->size) % flight->group->size;
  while (ring->receive_posted.unit < ring->receives &&
         ring->receive_posted.unit < ring->received.unit + RF_REDUCTION_DEPTH) {
    const int64_t at = ring->receive_posted.unit % RF_REDUCTION_DEPTH;
    int64_t count;
    (void)piece_at(flight, &ring->receive_posted, false, &count);
    RF_MPI(MPI_Irecv(ring->buffer + at * ring->piece, (int)count, RF_MPI_REAL, from, flight->tag, flight->group->comm,
                     &ring->receiving[at]));
    move_on(&ring->receive_posted, count);
  }
  return RF_OK;
}

static rf_status post_sends(rf_flight *flight) {
  rf_reduction *ring = &flight->ring;
  const int to = (flight->group->rank + 1) % flight->group->size;
  while (ring->send_posted.unit < ring->sends && ring->send_posted.unit < ring->sent + RF_REDUCTION_DEPTH &&
         ring->send_posted.unit < ring->ready_sends + ring->received.unit) {
    const int64_t at = ring->send_posted.unit % RF_REDUCTION_DEPTH;
    int64_t count;
    const real *data = piece_at(flight, &ring->send_posted, true, &count);
    RF_MPI(MPI_Isend(data, (int)count, RF_MPI_REAL, to, flight->tag, flight->group->comm, &ring->sending[at]));
    move_on(&ring->send_posted, count);
  }
  return RF_OK;
}

static void add_piece(int64_t n, const real *restrict from, real *restrict to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) to[i] += from[i];
}

static rf_status take_received(rf_flight *flight, bool *moved) {
  rf_reduction *ring = &flight->ring;
  while (ring->received.unit < ring->receive_posted.unit) {
    const int64_t at = ring->received.unit % RF_REDUCTION_DEPTH;
    int there = 0;
    RF_MPI(MPI_Test(&ring->receiving[at], &there, MPI_STATUS_IGNORE));
    if (!there) return RF_OK;
    int64_t count;
    real *to = piece_at(flight, &ring->received, false, &count);
    add_piece(count, ring->buffer + at * ring->piece, to);
    move_on(&ring->received, count);
    *moved = true;
  }
  return RF_OK;
}

static rf_status take_sent(rf_flight *flight, bool *moved) {
  rf_reduction *ring = &flight->ring;
  while (ring->sent < ring->send_posted.unit) {
    int gone = 0;
    RF_MPI(MPI_Test(&ring->sending[ring->sent % RF_REDUCTION_DEPTH], &gone, MPI_STATUS_IGNORE));
    if (!gone) return RF_OK;
    ring->sent++;
    *moved = true;
  }
  return RF_OK;
}

static rf_status poll_ring(rf_flight *flight) {
  rf_reduction *ring = &flight->ring;
  for (bool moved = true; moved;) {
    moved = false;
    RF_TRY(post_receives(flight));
    RF_TRY(post_sends(flight));
    RF_TRY(take_received(flight, &moved));
    RF_TRY(take_sent(flight, &moved));
  }
  flight->done = ring->received.unit == ring->receives && ring->sent == ring->sends;
  return RF_OK;
}

static rf_status take_buffer(rf_flight *flight) {
  rf_reduction *ring = &flight->ring;
  const int64_t most = flight->mesh->most_bytes < PIECE_BYTES ? flight->mesh->most_bytes : PIECE_BYTES;
  int64_t piece = most / (int64_t)sizeof(real);
  if (piece < 1) piece = 1;
  if (ring->buffer && ring->piece == piece) return RF_OK;
  free(ring->buffer);
  ring->piece = piece;
  ring->buffer = malloc(RF_REDUCTION_DEPTH * (size_t)piece * sizeof(real));
  if (ring->buffer) return RF_OK;
  return rf_fail(RF_FAILED, "out of memory: %zu bytes for a reduce-scatter",
                 RF_REDUCTION_DEPTH * (size_t)piece * sizeof(real));
}

rf_status rf_reduce_scatter_start(rf_mesh *mesh, rf_traffic purpose, const int64_t *first, real *full,
                                  rf_flight **flight_out) {
  RF_TRY(rf_flight_take(mesh, RF_SCOPE_WORLD, "a reduce-scatter", flight_out));
  rf_flight *flight = *flight_out;
  rf_reduction *ring = &flight->ring;
  const rf_status status = take_buffer(flight);
  if (status != RF_OK) {
    rf_flight_free(flight);
    return rf_error_pass(status, __FILE__, __LINE__);
  }
  *ring = (rf_reduction){.first = first, .full = full, .buffer = ring->buffer, .piece = ring->piece};
  flight->poll = poll_ring;
  int64_t bytes = 0;
  for (int step = 0; step < flight->group->size - 1; step++) {
    ring->receives += pieces(flight, step, false);
    ring->sends += pieces(flight, step, true);
    bytes += length(flight, step, true) * (int64_t)sizeof *full;
  }
  ring->ready_sends = flight->group->size > 1 ? pieces(flight, 0, true) : 0;
  rf_traffic_add(mesh, purpose, bytes);
  return poll_ring(flight);
}
