#include "comm/collective.h"
#include "comm/alarm.h"
#include "comm/flight.h"
#include "comm/span.h"
#include "comm/traffic.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Up to this many numbers go to every rank at once; more are cut in slices. */
enum { FEW = 16 };

typedef union number {
  double floating;
  int64_t integer;
} number;

typedef enum operation { SUM_DOUBLES, SUM_INTEGERS, MAX_DOUBLES } operation;

static number combine(operation op, number a, number b) {
  switch (op) {
  case SUM_DOUBLES: return (number){.floating = a.floating + b.floating};
  case SUM_INTEGERS: return (number){.integer = a.integer + b.integer};
  default: return a.floating > b.floating || a.floating != a.floating ? a : b;
  }
}

/* Memory that outlives a failure, so that a message which is still under way finds it. */
static rf_status take_scratch(rf_mesh *mesh, int64_t count, number **numbers) {
  const size_t bytes = (size_t)count * sizeof **numbers;
  if (mesh->alarm.status != RF_OK) return rf_alarm_fail(mesh);
  assert(!mesh->scratch_busy);
  if (bytes > mesh->scratch_bytes) {
    unsigned char *larger = realloc(mesh->scratch, bytes);
    if (!larger) return rf_fail(RF_FAILED, "out of memory: %zu bytes for a sum over ranks", bytes);
    mesh->scratch = larger;
    mesh->scratch_bytes = bytes;
  }
  assert(mesh->scratch);
  *numbers = (number *)(void *)mesh->scratch;
  mesh->scratch_busy = true;
  return RF_OK;
}

/* Rank r's part of n numbers: all of them where they are few. */
static rf_span part_of(int64_t n, int size, int r) { return n > FEW ? rf_span_of(n, size, r) : (rf_span){0, n}; }

/* Every rank gets its part of all ranks' numbers. in: [size, part]. */
static rf_status collect_parts(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, const number *own,
                               number *in) {
  const int size = mesh->groups[scope].size, rank = mesh->groups[scope].rank;
  const rf_span mine = part_of(n, size, rank);
  rf_flight *flight;
  RF_TRY(rf_flight_open(mesh, scope, "numbers of all ranks", sizeof *own, &flight));
  for (int d = 1; d < size; d++) {
    const int to = (rank + d) % size, from = (rank - d + size) % size;
    const rf_span part = part_of(n, size, to);
    rf_flight_receive(flight, from, in + from * mine.count, mine.count);
    rf_flight_send(flight, to, own + part.first, part.count);
    rf_traffic_add(mesh, purpose, part.count * (int64_t)sizeof *own);
  }
  memcpy(in + rank * mine.count, own + mine.first, (size_t)mine.count * sizeof *in);
  RF_TRY(rf_flight_launch(flight));
  return rf_flight_wait(flight);
}

/* Every rank's part of the numbers goes to all others, in place. */
static rf_status share_parts(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, number *numbers) {
  const int size = mesh->groups[scope].size, rank = mesh->groups[scope].rank;
  const rf_span mine = part_of(n, size, rank);
  rf_flight *flight;
  RF_TRY(rf_flight_open(mesh, scope, "sums of all ranks", sizeof *numbers, &flight));
  for (int d = 1; d < size; d++) {
    const int to = (rank + d) % size, from = (rank - d + size) % size;
    const rf_span part = part_of(n, size, from);
    rf_flight_receive(flight, from, numbers + part.first, part.count);
    rf_flight_send(flight, to, numbers + mine.first, mine.count);
  }
  rf_traffic_add(mesh, purpose, mine.count * (int64_t)sizeof *numbers * (size - 1));
  RF_TRY(rf_flight_launch(flight));
  return rf_flight_wait(flight);
}

/* values: [n] numbers of 8 bytes. */
static rf_status reduce_numbers(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, operation op, int64_t n,
                                void *values) {
  const int size = rf_mesh_size_of(mesh, scope);
  if (size == 1 || n == 0) return RF_OK;
  const rf_span mine = part_of(n, size, mesh->groups[scope].rank);
  number *total = NULL, *in;
  RF_TRY(take_scratch(mesh, n + size * mine.count, &total));
  assert(total);
  in = total + n;
  memcpy(total, values, (size_t)n * sizeof *total);
  RF_TRY(collect_parts(mesh, scope, purpose, n, total, in));
  for (int64_t i = 0; i < mine.count; i++) {
    number x = in[i];
    for (int r = 1; r < size; r++) x = combine(op, x, in[r * mine.count + i]);
    total[mine.first + i] = x;
  }
  if (n > FEW) RF_TRY(share_parts(mesh, scope, purpose, n, total));
  memcpy(values, total, (size_t)n * sizeof *total);
  mesh->scratch_busy = false;
  return RF_OK;
}

rf_status rf_sum_doubles(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, double *values) {
  return reduce_numbers(mesh, scope, purpose, SUM_DOUBLES, n, values);
}

rf_status rf_sum_integers(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, int64_t *values) {
  return reduce_numbers(mesh, scope, purpose, SUM_INTEGERS, n, values);
}

rf_status rf_max_doubles(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, double *values) {
  return reduce_numbers(mesh, scope, purpose, MAX_DOUBLES, n, values);
}

/* own: [n], all: [size, n] numbers of 8 bytes. */
static rf_status gather_numbers(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, const void *own,
                                void *all) {
  const int size = rf_mesh_size_of(mesh, scope), rank = rf_mesh_rank_in(mesh, scope);
  number *in = NULL;
  if (n == 0) return RF_OK;
  if (size == 1) {
    memcpy(all, own, (size_t)n * sizeof *in);
    return RF_OK;
  }
  RF_TRY(take_scratch(mesh, n * size, &in));
  assert(in);
  memcpy(in + n * rank, own, (size_t)n * sizeof *in);
  rf_flight *flight;
  RF_TRY(rf_flight_open(mesh, scope, "numbers of all ranks", sizeof *in, &flight));
  for (int d = 1; d < size; d++) {
    const int from = (rank - d + size) % size;
    rf_flight_receive(flight, from, in + from * n, n);
    rf_flight_send(flight, (rank + d) % size, in + rank * n, n);
  }
  rf_traffic_add(mesh, purpose, n * (int64_t)sizeof *in * (size - 1));
  RF_TRY(rf_flight_launch(flight));
  RF_TRY(rf_flight_wait(flight));
  memcpy(all, in, (size_t)(n * size) * sizeof *in);
  mesh->scratch_busy = false;
  return RF_OK;
}

rf_status rf_gather_doubles(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, const double *own,
                            double *all) {
  return gather_numbers(mesh, scope, purpose, n, own, all);
}

rf_status rf_gather_integers(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int64_t n, const int64_t *own,
                             int64_t *all) {
  return gather_numbers(mesh, scope, purpose, n, own, all);
}

/* The caller's memory is often a stack's. */
static rf_status finish_lent(rf_flight *flight) {
  rf_status status = rf_flight_launch(flight);
  if (status == RF_OK) status = rf_flight_wait(flight);
  if (status != RF_OK) rf_flight_call_off(flight);
  return status;
}

rf_status rf_broadcast(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, int root, void *data, int64_t bytes) {
  const int size = rf_mesh_size_of(mesh, scope), rank = rf_mesh_rank_in(mesh, scope);
  rf_flight *flight;
  if (size == 1) return RF_OK;
  RF_TRY(rf_flight_open(mesh, scope, "a broadcast", 1, &flight));
  if (rank != root) rf_flight_receive(flight, root, data, bytes);
  for (int d = 1; rank == root && d < size; d++) rf_flight_send(flight, (root + d) % size, data, bytes);
  if (rank == root) rf_traffic_add(mesh, purpose, bytes * (size - 1));
  return finish_lent(flight);
}

rf_status rf_share(rf_mesh *mesh, void *data, int64_t bytes) {
  return rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 0, data, bytes);
}

rf_status rf_collect_bytes(rf_mesh *mesh, rf_traffic purpose, const void *own, int64_t bytes, void *all) {
  const int size = rf_mesh_size(mesh), rank = rf_mesh_rank(mesh);
  rf_flight *flight;
  if (rank == 0) memcpy(all, own, (size_t)bytes);
  if (size == 1) return RF_OK;
  RF_TRY(rf_flight_open(mesh, RF_SCOPE_WORLD, "what rank 0 collects", 1, &flight));
  for (int r = 1; rank == 0 && r < size; r++) rf_flight_receive(flight, r, (unsigned char *)all + r * bytes, bytes);
  if (rank != 0) rf_flight_send(flight, 0, own, bytes);
  if (rank != 0) rf_traffic_add(mesh, purpose, bytes);
  return finish_lent(flight);
}

rf_status rf_shift_start(rf_mesh *mesh, rf_scope scope, rf_traffic purpose, const rf_shift *shift, rf_flight **flight) {
  const int rank = mesh->groups[scope].rank;
  RF_TRY(rf_flight_open(mesh, scope, "a shift to neighbours", 1, flight));
  if (shift->to == rank) {
    assert(shift->from == rank && shift->send_bytes == shift->receive_bytes);
    memmove(shift->receive, shift->send, (size_t)shift->send_bytes);
  } else {
    if (shift->from >= 0) rf_flight_receive(*flight, shift->from, shift->receive, shift->receive_bytes);
    if (shift->to >= 0) rf_flight_send(*flight, shift->to, shift->send, shift->send_bytes);
    if (shift->to >= 0) rf_traffic_add(mesh, purpose, shift->send_bytes);
  }
  return rf_flight_launch(*flight);
}
