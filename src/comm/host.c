#include "comm/host.h"
#include "comm/mesh_state.h"

/* Imagined, or this process alone: without hosts. */
static const rf_hosts *hosts_of(const rf_mesh *mesh) { return mesh && mesh->hosts.of_rank ? &mesh->hosts : NULL; }

const char *rf_host_name(const rf_mesh *mesh, int rank) {
  const rf_hosts *hosts = hosts_of(mesh);
  return hosts ? hosts->names[hosts->of_rank[rank]] : "?";
}

rf_host_share rf_host_share_of(const rf_mesh *mesh) {
  const rf_hosts *hosts = hosts_of(mesh);
  return hosts ? hosts->share : (rf_host_share){1, 0, true, 1};
}

int rf_host_ranks(const rf_mesh *mesh) {
  const rf_hosts *hosts = hosts_of(mesh);
  return hosts ? hosts->neighbours : 1;
}

void rf_host_of_ranks(const rf_mesh *mesh, int *host, int *hosts) {
  const rf_hosts *known = hosts_of(mesh);
  *hosts = known ? known->n : 1;
  for (int r = 0; r < rf_mesh_size(mesh); r++) host[r] = known ? known->of_rank[r] : 0;
}
