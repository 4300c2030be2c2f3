#include "comm/test_hooks.h"
#include "comm/mesh_state.h"
#include <assert.h>

void rf_mesh_set_most_bytes(rf_mesh *mesh, int64_t bytes) {
  assert(bytes >= 1 && bytes <= RF_MOST_BYTES && mesh->n_flying == 0);
  mesh->most_bytes = bytes;
}
