#include "bench/spent.h"
#include "comm/collective.h"
#include <string.h>

void rf_spent_start(rf_mesh *mesh) {
  rf_traffic_reset(mesh);
  rf_phases_reset(rf_mesh_phases(mesh));
}

rf_status rf_spent_read(rf_mesh *mesh, int64_t repeats, rf_spent *spent) {
  rf_phases *phases = rf_mesh_phases(mesh);
  const double share = (double)repeats * rf_mesh_size(mesh);
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_phases_read(phases);
  memcpy(spent->seconds, phases->seconds, sizeof spent->seconds);
  memcpy(spent->waited, phases->waited, sizeof spent->waited);
  rf_traffic_read(mesh, bytes);
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, RF_PHASES, spent->seconds));
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, RF_PHASES, spent->waited));
  for (int p = 0; p < RF_PHASES; p++) {
    spent->seconds[p] /= share;
    spent->waited[p] /= share;
  }
  RF_TRY(rf_sum_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, RF_TRAFFIC_PURPOSES, bytes));
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) spent->bytes[i] = (double)bytes[i] / (double)repeats;
  return RF_OK;
}

double rf_spent_sum(const double *phases) {
  double sum = 0;
  for (int p = 0; p < RF_PHASES; p++) sum += phases[p];
  return sum;
}
