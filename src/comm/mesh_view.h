/* What can be asked of a mesh without a message: places and sizes, and where time goes. For the world's, and for what
 * the program at large may ask: reformer/mesh_view.h. */
#ifndef RF_COMM_MESH_VIEW_H
#define RF_COMM_MESH_VIEW_H

#include "comm/scope.h"
#include "reformer/mesh_view.h"

/* mesh NULL: 0 of 1. */
int rf_mesh_rank_in(const rf_mesh *mesh, rf_scope scope);
int rf_mesh_size_of(const rf_mesh *mesh, rf_scope scope);

/* Where this rank's time goes (base/phase.h), running since the mesh was made. mesh NULL: NULL, nothing is timed. */
struct rf_phases *rf_mesh_phases(rf_mesh *mesh);

#endif
