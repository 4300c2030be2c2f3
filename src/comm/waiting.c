#include "comm/waiting.h"
#include "base/clock.h"
#include "comm/mesh_state.h"

#define NOT_WAITING (-1.0)

void rf_waiting_start(rf_mesh *mesh, const char *what) {
  rf_phase_wait(&mesh->phases, true);
  mesh->waiting_for = what;
  mesh->waiting_since = rf_clock_seconds();
}

void rf_waiting_end(rf_mesh *mesh) {
  rf_phase_wait(&mesh->phases, false);
  mesh->wait_seconds += rf_clock_seconds() - mesh->waiting_since;
  mesh->waiting_since = NOT_WAITING;
}

void rf_waiting_reset(rf_mesh *mesh) {
  mesh->wait_seconds = 0;
  mesh->waiting_for = "nothing";
  mesh->waiting_since = NOT_WAITING;
}

double rf_mesh_wait_seconds(const rf_mesh *mesh) { return mesh ? mesh->wait_seconds : 0; }

const char *rf_mesh_waiting_for(const rf_mesh *mesh, double *seconds) {
  *seconds = -1;
  if (!mesh) return "nothing";
  const double since = mesh->waiting_since;
  if (since >= 0) *seconds = rf_clock_seconds() - since;
  return mesh->waiting_for;
}
