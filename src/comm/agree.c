#include "comm/agree.h"
#include "comm/fault.h"
#include "comm/host.h"
#include "comm/mesh_state.h"
#include <assert.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

enum { NOTE_TAG = 1 };

/* A wrong command line explains what follows from it; a stop on request is no failure at all. */
static int gravity(int32_t status) {
  switch (status) {
  case RF_OK: return 0;
  case RF_STOPPED: return 1;
  case RF_FAILED: return 2;
  case RF_BAD_DATA: return 3;
  default: return 4;
  }
}

static void keep_gravest(rf_note *kept, const rf_note *note) {
  const int more = gravity(note->status) - gravity(kept->status);
  if (more > 0 || (more == 0 && note->rank < kept->rank)) *kept = *note;
}

rf_status rf_alarm_fail(rf_mesh *mesh) {
  assert(mesh->alarm.status != RF_OK);
  mesh->alarm_heard = true;
  const rf_status status = (rf_status)mesh->alarm.status;
  if (mesh->alarm_shared) return rf_fail(status, "%s", mesh->alarm.text);
  return rf_fail(status, "rank %d on host %s: %s", mesh->alarm.rank, rf_host_name(mesh, mesh->alarm.rank),
                 mesh->alarm.text);
}

rf_status rf_alarm_receive(rf_mesh *mesh) {
  for (;;) {
    int there = 0;
    MPI_Status status;
    RF_MPI(MPI_Iprobe(MPI_ANY_SOURCE, NOTE_TAG, mesh->control, &there, &status));
    if (!there) return RF_OK;
    rf_note note;
    RF_MPI(MPI_Recv(&note, sizeof note, MPI_BYTE, status.MPI_SOURCE, NOTE_TAG, mesh->control, MPI_STATUS_IGNORE));
    note.text[sizeof note.text - 1] = '\0';
    mesh->notes++;
    keep_gravest(&mesh->alarm, &note);
  }
}

rf_status rf_alarm_check(rf_mesh *mesh) {
  RF_TRY(rf_alarm_receive(mesh));
  return mesh->alarm.status == RF_OK ? RF_OK : rf_alarm_fail(mesh);
}

/* Sends the failure of this rank to all others. */
static rf_status tell(rf_mesh *mesh, rf_status status) {
  const rf_group *world = &mesh->groups[RF_SCOPE_WORLD];
  mesh->own_note = (rf_note){.status = (int32_t)status, .rank = world->rank};
  (void)snprintf(mesh->own_note.text, sizeof mesh->own_note.text, "%s", rf_error_message());
  for (int i = 0; i < world->size; i++) {
    mesh->note_requests[i] = MPI_REQUEST_NULL;
    if (i == world->rank) continue;
    RF_MPI(MPI_Isend(&mesh->own_note, sizeof mesh->own_note, MPI_BYTE, i, NOTE_TAG, mesh->control,
                     &mesh->note_requests[i]));
  }
  rf_traffic_add(mesh, RF_TRAFFIC_OTHER, (int64_t)sizeof mesh->own_note * (world->size - 1));
  return RF_OK;
}

/* Moves everything until the request is over. Failures are what this is about: they end nothing. */
static rf_status finish(rf_mesh *mesh, int n, MPI_Request *requests) {
  for (;;) {
    int done = 0;
    RF_MPI(MPI_Testall(n, requests, &done, MPI_STATUSES_IGNORE));
    if (done) return RF_OK;
    RF_TRY(rf_alarm_receive(mesh));
    if (mesh->alarm.status == RF_OK && mesh->own_note.status == RF_OK) RF_TRY(rf_progress(mesh));
    (void)sched_yield();
  }
}

static rf_status vote(rf_mesh *mesh, rf_vote own) {
  const int size = mesh->groups[RF_SCOPE_WORLD].size;
  MPI_Request *request = &mesh->note_requests[mesh->groups[RF_SCOPE_WORLD].rank]; /* nobody sends a note to itself */
  mesh->votes[size] = own;
  RF_MPI(MPI_Iallgather(&mesh->votes[size], sizeof own, MPI_BYTE, mesh->votes, sizeof own, MPI_BYTE, mesh->control,
                        request));
  rf_traffic_add(mesh, RF_TRAFFIC_OTHER, (int64_t)sizeof own * (size - 1));
  return finish(mesh, 1, request);
}

/* Notes may lag behind votes. */
static rf_status receive_missing_notes(rf_mesh *mesh, int missing) {
  while (mesh->notes < missing) {
    RF_TRY(rf_alarm_receive(mesh));
    (void)sched_yield();
  }
  return RF_OK;
}

/* It keeps its message, and the way that it came. */
static rf_status agree_alone(rf_mesh *mesh, rf_status status) {
  if (status == RF_OK) return RF_OK;
  mesh->alarm = (rf_note){.status = (int32_t)status};
  (void)snprintf(mesh->alarm.text, sizeof mesh->alarm.text, "%s", rf_error_message());
  mesh->alarm_shared = mesh->over = true;
  return status;
}

/* What came after it may have left another message. */
static bool is_the_alarm(const rf_mesh *mesh, rf_status status) {
  return (int32_t)status == mesh->alarm.status &&
         strncmp(rf_error_message(), mesh->alarm.text, sizeof mesh->alarm.text - 1) == 0;
}

static rf_status agree(rf_mesh *mesh, rf_status status) {
  const rf_group *world = &mesh->groups[RF_SCOPE_WORLD];
  const bool own_failure = status != RF_OK && !mesh->alarm_heard; /* not another rank's, passed on */
  if (own_failure) RF_TRY(tell(mesh, status));
  RF_TRY(vote(mesh, (rf_vote){(int32_t)status, own_failure}));

  int told = 0;
  bool well = true, same = true;
  for (int i = 0; i < world->size; i++) {
    told += mesh->votes[i].told;
    well = well && mesh->votes[i].status == RF_OK;
    same = same && mesh->votes[i].told && mesh->votes[i].status == mesh->votes[0].status;
  }
  /* An alarm that came nevertheless was sent after this agreement, by a rank that has left it already: it belongs to
   * the next one, where that rank votes. */
  if (well) return RF_OK;
  RF_TRY(receive_missing_notes(mesh, told - own_failure));
  if (own_failure) {
    RF_TRY(finish(mesh, world->size, mesh->note_requests));
    keep_gravest(&mesh->alarm, &mesh->own_note);
  }
  mesh->alarm_shared = same;
  mesh->over = true;
  return rf_alarm_fail(mesh);
}

/* After an agreement that failed, further ones need no messages. They must not send any: a rank that failed late comes
 * to one, where a rank that heard of it inside a function that agrees comes to two. */
rf_status rf_agree(rf_mesh *mesh, rf_status status) {
  if (!mesh) return status;
  const bool alone = rf_mesh_size(mesh) == 1;
  if (mesh->over) return alone && is_the_alarm(mesh, status) ? status : rf_alarm_fail(mesh);
  if (status == RF_OK) status = rf_rank_fault(rf_mesh_rank(mesh));
  if (alone) return agree_alone(mesh, status);
  rf_waiting_start(mesh, "the other ranks, to agree");
  status = agree(mesh, status);
  rf_waiting_end(mesh);
  return status;
}
