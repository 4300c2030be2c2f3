#include "comm/traffic.h"
#include "comm/mesh_state.h"
#include <assert.h>
#include <string.h>

const char *rf_traffic_name(rf_traffic purpose) {
  static const char *const names[RF_TRAFFIC_PURPOSES] = {"histogram",  "plan",      "rows", "halo",
                                                         "parameters", "gradients", "loss", "other"};
  assert(purpose < RF_TRAFFIC_PURPOSES);
  return names[purpose];
}

void rf_traffic_add(rf_mesh *mesh, rf_traffic purpose, int64_t bytes) {
  assert(purpose < RF_TRAFFIC_PURPOSES && bytes >= 0);
  if (mesh) mesh->traffic[purpose] += bytes;
}

void rf_traffic_read(const rf_mesh *mesh, int64_t bytes[RF_TRAFFIC_PURPOSES]) {
  if (mesh)
    memcpy(bytes, mesh->traffic, sizeof mesh->traffic);
  else
    memset(bytes, 0, RF_TRAFFIC_PURPOSES * sizeof *bytes);
}

void rf_traffic_reset(rf_mesh *mesh) {
  if (mesh) memset(mesh->traffic, 0, sizeof mesh->traffic);
}
