#include "reformer/agree.h"
#include "base/clock.h"
#include "comm/alarm.h"
#include "comm/api_call.h"
#include "comm/fault.h"
#include "comm/mpi_runs.h"
#include "comm/poll.h"
#include "comm/traffic.h"
#include "comm/waiting.h"
#include <assert.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

/* Seconds, of rank 0: until a failure is told, and until it is told who waits where, which most often is no failure. */
#define PATIENCE 0.1
#define LONG_PATIENCE 1.0

/* Every rank's vote is in mesh->votes then. A failure of this rank's own is told to the others where the votes of those
 * who compute, or wait for it, are long in coming, and nobody else has told them of another: where all ranks fail
 * alike, as with a misspelt configuration, nobody needs to. Of those who fail at once the lowest tells, long before the
 * others would. */
static rf_status vote(rf_mesh *mesh, rf_vote own) {
  const int size = mesh->groups[RF_SCOPE_WORLD].size;
  const double start = rf_clock_seconds(), turn = 1 + log2(mesh->groups[RF_SCOPE_WORLD].rank + 1);
  MPI_Request request;
  mesh->votes[size] = own;
  RF_MPI(MPI_Iallgather(&mesh->votes[size], sizeof own, MPI_BYTE, mesh->votes, sizeof own, MPI_BYTE, mesh->control,
                        &request));
  rf_traffic_add(mesh, RF_TRAFFIC_OTHER, (int64_t)sizeof own * (size - 1));
  for (;;) {
    int done = 0;
    RF_MPI(MPI_Test(&request, &done, MPI_STATUS_IGNORE));
    if (done) return RF_OK;
    RF_TRY(rf_alarm_receive(mesh)); /* failures are what this is about: they end nothing */
    const bool heard = mesh->alarm.status != RF_OK;
    const double waited = rf_clock_seconds() - start;
    if (!heard && own.status == RF_OK) RF_TRY(rf_mesh_poll(mesh));
    if (!heard && own.status == RF_OK && waited > LONG_PATIENCE * turn) RF_TRY(rf_api_call_tell(mesh));
    if (!heard && own.met && !mesh->told && waited > PATIENCE * turn) RF_TRY(rf_alarm_tell(mesh));
    (void)sched_yield();
  }
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

/* The rank that met the gravest failure itself, the lowest of several. */
static int find_gravest(const rf_mesh *mesh, bool *well, bool *same) {
  int gravest = -1;
  *well = *same = true;
  for (int i = 0; i < mesh->groups[RF_SCOPE_WORLD].size; i++) {
    const rf_vote *v = &mesh->votes[i];
    *well = *well && v->status == RF_OK;
    *same = *same && v->met && v->status == mesh->votes[0].status;
    if (v->met &&
        (gravest < 0 || rf_gravity((rf_status)v->status) > rf_gravity((rf_status)mesh->votes[gravest].status)))
      gravest = i;
  }
  return gravest;
}

/* All ranks know by now that there is a failure, and whose counts: that rank tells of it if it has not, and everybody
 * takes all notes that were sent. */
static rf_status settle_failure(rf_mesh *mesh, rf_vote own, int gravest) {
  const rf_group *world = &mesh->groups[RF_SCOPE_WORLD];
  if (gravest == world->rank && !mesh->told) RF_TRY(rf_alarm_tell(mesh));
  RF_TRY(vote(mesh, (rf_vote){own.status, own.call, mesh->told}));
  int told = 0;
  for (int i = 0; i < world->size; i++) told += i != world->rank && mesh->votes[i].met;
  RF_TRY(receive_missing_notes(mesh, told));
  if (mesh->told) RF_MPI(MPI_Waitall(world->size, mesh->note_requests, MPI_STATUSES_IGNORE));
  if (own.met) rf_alarm_keep(&mesh->alarm, &mesh->own_note);
  return RF_OK;
}

static rf_status agree_together(rf_mesh *mesh, rf_status status) {
  const bool met = status != RF_OK && !mesh->alarm_heard; /* not another rank's, passed on */
  const rf_vote own = {(int32_t)status, mesh->call, met};
  if (met) {
    mesh->own_note = (rf_note){.status = (int32_t)status, .rank = mesh->groups[RF_SCOPE_WORLD].rank};
    (void)snprintf(mesh->own_note.text, sizeof mesh->own_note.text, "%s", rf_error_message());
  }
  RF_TRY(vote(mesh, own));
  mesh->agreements++;

  bool well, same;
  const int gravest = find_gravest(mesh, &well, &same);
  const bool apart = rf_api_call_compare(mesh) != RF_OK;
  rf_note note = {.status = RF_FAILED};
  if (apart) (void)snprintf(note.text, sizeof note.text, "%s", rf_error_message());
  /* An alarm that came nevertheless was sent after this agreement, by a rank that has left it already: it belongs to
   * the next one, where that rank votes. */
  if (well && !apart) return RF_OK;
  RF_TRY(settle_failure(mesh, own, gravest));
  mesh->alarm_shared = same || apart;
  if (apart) mesh->alarm = note; /* what follows from it explains nothing */
  mesh->over = true;
  return rf_alarm_fail(mesh);
}

/* After an agreement that failed, further ones need no messages. They must not send any: a rank that failed late comes
 * to one, where a rank that heard of it inside a function that agrees comes to two. */
rf_status rf_agree(rf_mesh *mesh, rf_status status) {
  if (!mesh) return status;
  RF_TRY(rf_mpi_check_runs("a mesh"));
  assert(rf_mesh_is_valid(mesh));
  const bool alone = rf_mesh_size(mesh) == 1;
  if (mesh->over) return alone && is_the_alarm(mesh, status) ? status : rf_alarm_fail(mesh);
  if (status == RF_OK) status = rf_rank_fault(rf_mesh_rank(mesh));
  if (alone) return agree_alone(mesh, status);
  rf_waiting_start(mesh, "the other ranks, to agree");
  status = agree_together(mesh, status);
  rf_waiting_end(mesh);
  return status;
}
