#include "comm/alarm.h"
#include "comm/api_call.h"
#include "comm/host.h"
#include "comm/traffic.h"
#include <assert.h>

int rf_gravity(rf_status status) {
  switch (status) {
  case RF_OK: return 0;
  case RF_STOPPED: return 1;
  case RF_FAILED: return 2;
  case RF_BAD_DATA: return 3;
  default: return 4;
  }
}

void rf_alarm_keep(rf_note *kept, const rf_note *note) {
  const int more = rf_gravity((rf_status)note->status) - rf_gravity((rf_status)kept->status);
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
    RF_MPI(MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, mesh->control, &there, &status));
    if (!there) return RF_OK;
    if (status.MPI_TAG == RF_API_CALL_TAG) {
      RF_TRY(rf_api_call_receive(mesh, status.MPI_SOURCE));
      continue;
    }
    rf_note note;
    RF_MPI(MPI_Recv(&note, sizeof note, MPI_BYTE, status.MPI_SOURCE, RF_NOTE_TAG, mesh->control, MPI_STATUS_IGNORE));
    note.text[sizeof note.text - 1] = '\0';
    mesh->notes++;
    rf_alarm_keep(&mesh->alarm, &note);
  }
}

rf_status rf_alarm_check(rf_mesh *mesh) {
  RF_TRY(rf_alarm_receive(mesh));
  return mesh->alarm.status == RF_OK ? rf_api_call_check(mesh) : rf_alarm_fail(mesh);
}

rf_status rf_alarm_tell(rf_mesh *mesh) {
  const rf_group *world = &mesh->groups[RF_SCOPE_WORLD];
  mesh->told = true;
  for (int i = 0; i < world->size; i++) {
    mesh->note_requests[i] = MPI_REQUEST_NULL;
    if (i == world->rank) continue;
    RF_MPI(MPI_Isend(&mesh->own_note, sizeof mesh->own_note, MPI_BYTE, i, RF_NOTE_TAG, mesh->control,
                     &mesh->note_requests[i]));
  }
  rf_traffic_add(mesh, RF_TRAFFIC_OTHER, (int64_t)sizeof mesh->own_note * (world->size - 1));
  return RF_OK;
}
