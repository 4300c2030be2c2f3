/* What can be asked of a mesh (reformer/mesh.h) without a message: places, sizes, whether it is of use. NULL is a mesh
 * of this process alone. */
#ifndef REFORMER_MESH_VIEW_H
#define REFORMER_MESH_VIEW_H

#include "reformer/linkage.h"
#include <stdbool.h>
#include <stddef.h>

RF_API_BEGIN

typedef struct rf_mesh rf_mesh;

/* Whether this rank knows of a failure, its own or another's, after which the mesh is of no more use. NULL: never. */
bool rf_mesh_has_failed(const rf_mesh *mesh);
bool rf_mesh_is_valid(const rf_mesh *mesh);
size_t rf_mesh_memory_used(const rf_mesh *mesh); /* bytes, MPI's own not counted */

int rf_mesh_rank(const rf_mesh *mesh); /* in the world */
int rf_mesh_size(const rf_mesh *mesh);
int rf_mesh_sequence_rank(const rf_mesh *mesh);
int rf_mesh_sequence_size(const rf_mesh *mesh);
int rf_mesh_data_rank(const rf_mesh *mesh);
int rf_mesh_data_size(const rf_mesh *mesh);

RF_API_END

#endif
