#include "comm/poll.h"
#include "comm/alarm.h"
#include "comm/flight.h"
#include "comm/waiting.h"
#include "kernel/parallel.h"
#include <assert.h>
#include <sched.h>

enum { SPINS_BETWEEN_CHECKS = 16 };

rf_status rf_mesh_poll(rf_mesh *mesh) {
  if (!mesh) return RF_OK;
  assert(rf_mesh_is_valid(mesh));
  if (mesh->alarm.status != RF_OK) return rf_alarm_fail(mesh);
  int left = mesh->n_flying;
  for (int i = 0; left > 0 && i < RF_FLIGHTS; i++) {
    rf_flight *flight = &mesh->flights[i];
    if (!flight->used) continue;
    left--;
    if (!flight->done) RF_TRY(rf_context(flight->poll(flight), "%s", flight->what));
  }
  return RF_OK;
}

void rf_mesh_poll_within(rf_mesh *mesh) {
  if (mesh && rf_thread() == 0) (void)rf_mesh_poll(mesh);
}

bool rf_mesh_is_flying(const rf_mesh *mesh) { return mesh && mesh->n_flying > 0; }

bool rf_flight_is_done(const rf_flight *flight) { return !flight || flight->done; }

/* After a fruitless look: moves the others, looks for failures, lets a rank that shares the core go first. */
static rf_status look_around(rf_mesh *mesh, int spin) {
  RF_TRY(rf_mesh_poll(mesh));
  if (spin % SPINS_BETWEEN_CHECKS != 0) return RF_OK;
  RF_TRY(rf_alarm_check(mesh));
  (void)sched_yield();
  return RF_OK;
}

rf_status rf_flight_wait(rf_flight *flight) {
  if (!flight) return RF_OK;
  rf_mesh *mesh = flight->mesh;
  if (!flight->done) {
    rf_status status = RF_OK;
    rf_waiting_start(mesh, flight->what);
    for (int spin = 1; status == RF_OK && !flight->done; spin++) status = look_around(mesh, spin);
    rf_waiting_end(mesh);
    RF_TRY(status);
  }
  rf_flight_free(flight);
  return RF_OK;
}
