/* The mesh of ranks (reformer/mesh.h), and what only the insides of the program ask of it.
 *
 * Everything of comm/ is called from the main thread, and in the same order on all ranks of the group concerned. */
#ifndef RF_COMM_MESH_H
#define RF_COMM_MESH_H

#include "comm/mesh_view.h"
#include "comm/span.h"
#include "comm/traffic.h"
#include "comm/waiting.h"
#include "reformer/mesh.h"

/* Whether S = sequence and D = data (0: all that is left) make up `ranks`: fills *data_out, or says in RF_BAD_CONFIG
 * what does not fit and what would. */
rf_status rf_mesh_fit(int64_t ranks, int64_t sequence, int64_t data, int64_t *data_out);

/* The mesh that rank `rank` of `sequence` x `data` would have, without the others: its sizes can be asked for, nothing
 * can be sent. For planning. */
rf_status rf_mesh_create_imagined(int64_t sequence, int64_t data, int rank, rf_mesh **mesh);

/* A model that counts on how the mesh is arranged begins, and ends, to live on it. mesh NULL: nothing to do. */
void rf_mesh_hold(rf_mesh *mesh);
void rf_mesh_let_go(rf_mesh *mesh);
/* RF_BAD_CONFIG where models live on a mesh that is arranged otherwise. Not collective. mesh NULL: none do. */
rf_status rf_mesh_check_held(const rf_mesh *mesh, int64_t sequence, int64_t data);

#endif
