#include "comm/flight.h"
#include <assert.h>
#include <limits.h>

rf_status rf_flight_take(rf_mesh *mesh, rf_scope scope, const char *what, rf_flight **flight_out) {
  *flight_out = NULL;
  if (mesh->alarm.status != RF_OK) return rf_alarm_fail(mesh);
  rf_group *group = &mesh->groups[scope];
  for (int i = 0; i < RF_FLIGHTS; i++) {
    rf_flight *flight = &mesh->flights[i];
    if (flight->used) continue;
    flight->used = true;
    flight->done = false;
    flight->what = what;
    flight->group = group;
    flight->tag = group->next_tag;
    flight->row = MPI_DATATYPE_NULL;
    flight->n_messages = flight->next_message = flight->n_requests = 0;
    flight->next_unit = 0;
    group->next_tag = (group->next_tag + 1) % mesh->tags;
    mesh->n_flying++;
    *flight_out = flight;
    return RF_OK;
  }
  return rf_fail(RF_FAILED, "%s: %d operations between ranks are under way already; allowed: %d at once", what,
                 mesh->n_flying, RF_FLIGHTS);
}

void rf_flight_free(rf_flight *flight) {
  if (flight->row != MPI_DATATYPE_NULL) (void)MPI_Type_free(&flight->row);
  flight->used = false;
  flight->mesh->n_flying--;
}

/* Posts the next piece of the next message. */
static rf_status post(rf_flight *flight) {
  const rf_message *m = &flight->messages[flight->next_message];
  int64_t most = flight->mesh->most_bytes / flight->unit;
  if (most < 1) most = 1;
  if (most > INT_MAX) most = INT_MAX;
  const int64_t left = m->count - flight->next_unit;
  const int count = (int)(left < most ? left : most);
  unsigned char *data = m->data + flight->next_unit * flight->unit;
  MPI_Request *request = &flight->requests[flight->n_requests];
  if (m->sends)
    RF_MPI(MPI_Isend(data, count, flight->row, m->peer, flight->tag, flight->group->comm, request));
  else
    RF_MPI(MPI_Irecv(data, count, flight->row, m->peer, flight->tag, flight->group->comm, request));
  flight->n_requests++;
  flight->next_unit += count;
  if (flight->next_unit == m->count) {
    flight->next_unit = 0;
    flight->next_message++;
  }
  return RF_OK;
}

static rf_status post_window(rf_flight *flight) {
  while (flight->n_requests < RF_WINDOW && flight->next_message < flight->n_messages) RF_TRY(post(flight));
  flight->done = flight->n_requests == 0;
  return RF_OK;
}

static rf_status poll_messages(rf_flight *flight) {
  int done = 0, index[RF_WINDOW];
  RF_MPI(MPI_Testsome(flight->n_requests, flight->requests, &done, index, MPI_STATUSES_IGNORE));
  if (done == MPI_UNDEFINED || done == 0) return RF_OK;
  int kept = 0;
  for (int i = 0; i < flight->n_requests; i++)
    if (flight->requests[i] != MPI_REQUEST_NULL) flight->requests[kept++] = flight->requests[i];
  flight->n_requests = kept;
  return post_window(flight);
}

rf_status rf_flight_open(rf_mesh *mesh, rf_scope scope, const char *what, int64_t unit, rf_flight **flight_out) {
  assert(unit > 0 && unit <= INT_MAX);
  RF_TRY(rf_flight_take(mesh, scope, what, flight_out));
  rf_flight *flight = *flight_out;
  flight->poll = poll_messages;
  flight->unit = unit;
  /* Counts in rows: a message of more than 2^31 bytes keeps a count that fits an int. */
  RF_MPI(MPI_Type_contiguous((int)unit, MPI_BYTE, &flight->row));
  RF_MPI(MPI_Type_commit(&flight->row));
  return RF_OK;
}

static void add(rf_flight *flight, rf_message message) {
  if (message.count == 0) return;
  assert(message.count > 0 && flight->n_messages < flight->capacity);
  assert(message.peer >= 0 && message.peer < flight->group->size && message.peer != flight->group->rank);
  flight->messages[flight->n_messages++] = message;
}

void rf_flight_send(rf_flight *flight, int peer, const void *data, int64_t count) {
  add(flight, (rf_message){(unsigned char *)(uintptr_t)data, count, peer, true});
}

void rf_flight_receive(rf_flight *flight, int peer, void *data, int64_t count) {
  add(flight, (rf_message){data, count, peer, false});
}

rf_status rf_flight_launch(rf_flight *flight) { return post_window(flight); }

rf_status rf_all_to_all_start(rf_mesh *mesh, rf_scope scope, const rf_all_to_all *all, rf_flight **flight) {
  const int size = mesh->groups[scope].size, rank = mesh->groups[scope].rank;
  const unsigned char *out = all->out;
  unsigned char *in = all->in;
  RF_TRY(rf_flight_open(mesh, scope, all->what, all->unit, flight));
  for (int d = 1; d < size; d++) {
    const int to = (rank + d) % size, from = (rank - d + size) % size;
    const int64_t rows = all->out_first[to + 1] - all->out_first[to];
    rf_flight_receive(*flight, from, in + all->in_first[from] * all->unit,
                      all->in_first[from + 1] - all->in_first[from]);
    rf_flight_send(*flight, to, out + all->out_first[to] * all->unit, rows);
    rf_traffic_add(mesh, all->purpose, rows * all->unit);
  }
  return rf_flight_launch(*flight);
}

rf_status rf_all_to_all_run(rf_mesh *mesh, rf_scope scope, const rf_all_to_all *all) {
  rf_flight *flight;
  RF_TRY(rf_all_to_all_start(mesh, scope, all, &flight));
  return rf_flight_wait(flight);
}
