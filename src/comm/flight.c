#include "comm/flight.h"
#include "comm/alarm.h"
#include "comm/fault.h"
#include <assert.h>
#include <limits.h>

static void clear_queue(rf_queue *queue) {
  queue->n = queue->next = queue->n_requests = 0;
  queue->next_unit = 0;
}

rf_status rf_flight_take(rf_mesh *mesh, rf_scope scope, const char *what, rf_flight **flight_out) {
  *flight_out = NULL;
  assert(rf_mesh_is_valid(mesh));
  if (mesh->alarm.status != RF_OK) return rf_alarm_fail(mesh);
  RF_TRY(rf_rank_fault(mesh->groups[RF_SCOPE_WORLD].rank));
  rf_group *group = &mesh->groups[scope];
  assert(group->comm != MPI_COMM_NULL); /* arranged */
  for (int i = 0; i < RF_FLIGHTS; i++) {
    rf_flight *flight = &mesh->flights[i];
    if (flight->used) continue;
    flight->used = true;
    flight->done = false;
    flight->what = what;
    flight->group = group;
    flight->tag = group->next_tag;
    flight->row = MPI_DATATYPE_NULL;
    clear_queue(&flight->receives);
    clear_queue(&flight->sends);
    group->next_tag = (group->next_tag + 1) % mesh->tags;
    mesh->n_flying++;
    *flight_out = flight;
    return RF_OK;
  }
  return rf_fail(RF_FAILED, "%s: %d operations between ranks are under way already; allowed: %d at once", what,
                 mesh->n_flying, RF_FLIGHTS);
}

void rf_flight_call_off(rf_flight *flight) {
  rf_queue *receives = &flight->receives;
  for (int i = 0; i < receives->n_requests; i++) {
    if (receives->requests[i] == MPI_REQUEST_NULL) continue;
    (void)MPI_Cancel(&receives->requests[i]);
    (void)MPI_Wait(&receives->requests[i], MPI_STATUS_IGNORE);
  }
  receives->n_requests = 0;
}

void rf_flight_free(rf_flight *flight) {
  if (flight->row != MPI_DATATYPE_NULL && flight->row != MPI_INT64_T) (void)MPI_Type_free(&flight->row);
  flight->used = false;
  flight->mesh->n_flying--;
}

/* Posts the next piece of the next message. */
static rf_status post_next(const rf_flight *flight, rf_queue *queue) {
  const rf_message *m = &queue->messages[queue->next];
  int64_t most = flight->mesh->most_bytes / flight->unit;
  if (most < 1) most = 1;
  if (most > INT_MAX) most = INT_MAX;
  const int64_t left = m->count - queue->next_unit;
  const int count = (int)(left < most ? left : most);
  unsigned char *data = m->data + queue->next_unit * flight->unit;
  MPI_Request *request = &queue->requests[queue->n_requests];
  if (queue == &flight->sends)
    RF_MPI(MPI_Isend(data, count, flight->row, m->peer, flight->tag, flight->group->comm, request));
  else
    RF_MPI(MPI_Irecv(data, count, flight->row, m->peer, flight->tag, flight->group->comm, request));
  queue->n_requests++;
  queue->next_unit += count;
  if (queue->next_unit == m->count) {
    queue->next_unit = 0;
    queue->next++;
  }
  return RF_OK;
}

static rf_status post_window(const rf_flight *flight, rf_queue *queue) {
  while (queue->n_requests < RF_WINDOW && queue->next < queue->n) RF_TRY(post_next(flight, queue));
  return RF_OK;
}

static rf_status poll_queue(const rf_flight *flight, rf_queue *queue) {
  int done = 0, index[RF_WINDOW];
  if (queue->n_requests == 0) return RF_OK;
  RF_MPI(MPI_Testsome(queue->n_requests, queue->requests, &done, index, MPI_STATUSES_IGNORE));
  if (done == MPI_UNDEFINED || done == 0) return RF_OK;
  int kept = 0;
  for (int i = 0; i < queue->n_requests; i++)
    if (queue->requests[i] != MPI_REQUEST_NULL) queue->requests[kept++] = queue->requests[i];
  queue->n_requests = kept;
  return post_window(flight, queue);
}

static rf_status poll_messages(rf_flight *flight) {
  RF_TRY(poll_queue(flight, &flight->receives));
  RF_TRY(poll_queue(flight, &flight->sends));
  flight->done = flight->receives.n_requests == 0 && flight->sends.n_requests == 0;
  return RF_OK;
}

rf_status rf_flight_open(rf_mesh *mesh, rf_scope scope, const char *what, int64_t unit, rf_flight **flight_out) {
  assert(unit > 0 && unit <= INT_MAX);
  RF_TRY(rf_flight_take(mesh, scope, what, flight_out));
  rf_flight *flight = *flight_out;
  assert(flight);
  flight->poll = poll_messages;
  flight->unit = unit;
  if (unit == sizeof(int64_t)) { /* scalars: a type for each of them would cost more than they do */
    flight->row = MPI_INT64_T;
    return RF_OK;
  }
  /* Counts in rows: a message of more than 2^31 bytes keeps a count that fits an int. */
  RF_MPI(MPI_Type_contiguous((int)unit, MPI_BYTE, &flight->row));
  RF_MPI(MPI_Type_commit(&flight->row));
  return RF_OK;
}

static void add_message(__attribute__((unused)) const rf_flight *flight, rf_queue *queue, rf_message message) {
  if (message.count == 0) return;
  assert(message.count > 0 && queue->n < queue->capacity);
  assert(message.peer >= 0 && message.peer < flight->group->size && message.peer != flight->group->rank);
  queue->messages[queue->n++] = message;
}

void rf_flight_send(rf_flight *flight, int peer, const void *data, int64_t count) {
  add_message(flight, &flight->sends, (rf_message){(unsigned char *)(uintptr_t)data, count, peer});
}

void rf_flight_receive(rf_flight *flight, int peer, void *data, int64_t count) {
  add_message(flight, &flight->receives, (rf_message){data, count, peer});
}

rf_status rf_flight_launch(rf_flight *flight) {
  RF_TRY(post_window(flight, &flight->receives));
  RF_TRY(post_window(flight, &flight->sends));
  flight->done = flight->receives.n_requests == 0 && flight->sends.n_requests == 0;
  return RF_OK;
}
