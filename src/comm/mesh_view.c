#include "comm/mesh_view.h"
#include "comm/mesh_state.h"

bool rf_mesh_has_failed(const rf_mesh *mesh) { return mesh && mesh->alarm.status != RF_OK; }

bool rf_mesh_is_valid(const rf_mesh *mesh) {
  if (!mesh || !mesh->flights || mesh->sequence_size < 1 || mesh->data_size < 1) return false;
  const rf_group *world = &mesh->groups[RF_SCOPE_WORLD], *sequence = &mesh->groups[RF_SCOPE_SEQUENCE];
  const rf_group *data = &mesh->groups[RF_SCOPE_DATA];
  int flying = 0;
  for (int i = 0; i < RF_FLIGHTS; i++) flying += mesh->flights[i].used;
  return world->size == mesh->sequence_size * mesh->data_size && sequence->size == mesh->sequence_size &&
         data->size == mesh->data_size && sequence->rank == mesh->sequence_rank && data->rank == mesh->data_rank &&
         world->rank == mesh->data_rank * mesh->sequence_size + mesh->sequence_rank && flying == mesh->n_flying &&
         mesh->most_bytes >= 1 && mesh->most_bytes <= RF_MOST_BYTES;
}

size_t rf_mesh_memory_used(const rf_mesh *mesh) {
  size_t bytes = sizeof *mesh + mesh->scratch_bytes;
  bytes += (size_t)mesh->groups[RF_SCOPE_WORLD].size * (2 * sizeof(MPI_Request) + sizeof(rf_vote) + sizeof(int)) +
           sizeof(rf_vote) + (size_t)mesh->hosts.n * RF_HOST_NAME;
  bytes += RF_FLIGHTS * sizeof *mesh->flights;
  for (int i = 0; i < RF_FLIGHTS; i++) {
    const rf_flight *flight = &mesh->flights[i];
    bytes += (size_t)(flight->receives.capacity + flight->sends.capacity) * sizeof(rf_message);
    if (flight->ring.buffer) bytes += RF_REDUCTION_DEPTH * (size_t)flight->ring.piece * sizeof(real);
  }
  return bytes;
}

int rf_mesh_rank_in(const rf_mesh *mesh, rf_scope scope) { return mesh ? mesh->groups[scope].rank : 0; }
int rf_mesh_size_of(const rf_mesh *mesh, rf_scope scope) { return mesh ? mesh->groups[scope].size : 1; }
int rf_mesh_rank(const rf_mesh *mesh) { return rf_mesh_rank_in(mesh, RF_SCOPE_WORLD); }
int rf_mesh_size(const rf_mesh *mesh) { return rf_mesh_size_of(mesh, RF_SCOPE_WORLD); }
int rf_mesh_sequence_rank(const rf_mesh *mesh) { return rf_mesh_rank_in(mesh, RF_SCOPE_SEQUENCE); }
int rf_mesh_sequence_size(const rf_mesh *mesh) { return rf_mesh_size_of(mesh, RF_SCOPE_SEQUENCE); }
int rf_mesh_data_rank(const rf_mesh *mesh) { return rf_mesh_rank_in(mesh, RF_SCOPE_DATA); }
int rf_mesh_data_size(const rf_mesh *mesh) { return rf_mesh_size_of(mesh, RF_SCOPE_DATA); }

struct rf_phases *rf_mesh_phases(rf_mesh *mesh) {
  return mesh ? &mesh->phases : NULL;
}
