#include "comm/api_call.h"
#include "comm/host.h"
#include "comm/mesh_state.h"
#include "comm/traffic.h"
#include <stdio.h>

enum { CALLS = 8, SESSIONS = 1 << 12, MAX_NAME = 96 }; /* a call and its session are 16 bits of a vote */

int rf_api_call_count_session(rf_mesh *mesh) { return mesh ? ++mesh->sessions : 0; }

void rf_api_call_begin(rf_mesh *mesh, rf_api_call call, int session) {
  if (mesh) mesh->call = (uint16_t)((int)call + CALLS * (session % SESSIONS));
}

void rf_api_call_end(rf_mesh *mesh) { rf_api_call_begin(mesh, RF_API_CALL_NONE, 0); }

static const char *name_of(uint16_t call, char name[MAX_NAME]) {
  static const char *const names[CALLS] = {"something else (rf_agree, rf_config_load, ...)",
                                           "rf_session_create",
                                           "rf_session_step",
                                           "rf_session_evaluate (training split)",
                                           "rf_session_evaluate (validation split)",
                                           "rf_session_evaluate (test split)",
                                           "rf_session_save",
                                           "rf_session_load"};
  if (call % CALLS == RF_API_CALL_NONE)
    (void)snprintf(name, MAX_NAME, "%s", names[RF_API_CALL_NONE]);
  else
    (void)snprintf(name, MAX_NAME, "%s of session %d", names[call % CALLS], call / CALLS);
  return name;
}

static rf_status refuse_calls(const rf_mesh *mesh, int rank, uint16_t call, int other, uint16_t other_call) {
  char one[MAX_NAME], two[MAX_NAME];
  return rf_fail(
      RF_FAILED,
      "ranks call different functions: rank %d on host %s calls %s, rank %d on host %s %s; allowed: the same "
      "by all ranks, in the same order",
      rank, rf_host_name(mesh, rank), name_of(call, one), other, rf_host_name(mesh, other), name_of(other_call, two));
}

/* Whoever has failed outside of a session's functions comes to the next agreement, wherever that is. */
static bool vote_counts(const rf_vote *vote) { return vote->status == RF_OK || vote->call % CALLS != RF_API_CALL_NONE; }

rf_status rf_api_call_compare(const rf_mesh *mesh) {
  int first = -1;
  for (int i = 0; i < mesh->groups[RF_SCOPE_WORLD].size; i++) {
    const rf_vote *vote = &mesh->votes[i];
    if (!vote_counts(vote)) continue;
    if (first < 0) first = i;
    if (vote->call != mesh->votes[first].call) return refuse_calls(mesh, first, mesh->votes[first].call, i, vote->call);
  }
  return RF_OK;
}

/* --- where a rank waits ------------------------------------------------------------------------------ */

rf_status rf_api_call_receive(rf_mesh *mesh, int from) {
  RF_MPI(MPI_Recv(&mesh->heard_call, sizeof mesh->heard_call, MPI_BYTE, from, RF_API_CALL_TAG, mesh->control,
                  MPI_STATUS_IGNORE));
  return RF_OK;
}

/* Of an agreement that is over it tells nothing. */
static bool heard_now(const rf_mesh *mesh) {
  return mesh->heard_call.from >= 0 && mesh->heard_call.agreements == mesh->agreements;
}

rf_status rf_api_call_check(const rf_mesh *mesh) {
  const rf_api_call_note *heard = &mesh->heard_call;
  if (!heard_now(mesh) || heard->call == mesh->call) return RF_OK;
  const int rank = mesh->groups[RF_SCOPE_WORLD].rank;
  return refuse_calls(mesh, rank, mesh->call, heard->from, heard->call);
}

/* The last ones have been taken, or the buffer is not free yet: then this agreement does without. */
static rf_status is_free(rf_mesh *mesh, int *free) {
  RF_MPI(MPI_Testall(mesh->groups[RF_SCOPE_WORLD].size, mesh->call_requests, free, MPI_STATUSES_IGNORE));
  return RF_OK;
}

rf_status rf_api_call_tell(rf_mesh *mesh) {
  const rf_group *world = &mesh->groups[RF_SCOPE_WORLD];
  int free = 0;
  if (mesh->sessions == 0 || heard_now(mesh) || mesh->own_call.agreements == mesh->agreements) return RF_OK;
  RF_TRY(is_free(mesh, &free));
  if (!free) return RF_OK;
  mesh->own_call = (rf_api_call_note){.agreements = mesh->agreements, .from = world->rank, .call = mesh->call};
  for (int i = 0; i < world->size; i++)
    if (i != world->rank)
      RF_MPI(MPI_Isend(&mesh->own_call, sizeof mesh->own_call, MPI_BYTE, i, RF_API_CALL_TAG, mesh->control,
                       &mesh->call_requests[i]));
  rf_traffic_add(mesh, RF_TRAFFIC_OTHER, (int64_t)sizeof mesh->own_call * (world->size - 1));
  return RF_OK;
}

bool rf_api_call_is_told(rf_mesh *mesh) {
  int free = 0;
  return !mesh->call_requests || mesh->control == MPI_COMM_NULL || (is_free(mesh, &free) == RF_OK && free);
}
