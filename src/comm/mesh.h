/* The mesh of ranks (reformer/mesh.h), and what only the insides of the program ask of it.
 *
 * Everything of comm/ is called from the main thread, and in the same order on all ranks of the group concerned. */
#ifndef RF_COMM_MESH_H
#define RF_COMM_MESH_H

#include "comm/span.h"
#include "comm/traffic.h"
#include "reformer/mesh.h"
#include <stdbool.h>
#include <stddef.h>

/* Which ranks take part in something. */
typedef enum rf_scope {
  RF_SCOPE_WORLD,    /* all N */
  RF_SCOPE_SEQUENCE, /* the S ranks of this rank's data group, once the mesh is arranged */
  RF_SCOPE_DATA,     /* the D ranks with this rank's place in their groups, likewise */
  RF_SCOPES          /* how many there are */
} rf_scope;

/* Whether S = sequence and D = data (0: all that is left) make up `ranks`: fills *data_out, or says in RF_BAD_CONFIG
 * what does not fit and what would. */
rf_status rf_mesh_fit(int64_t ranks, int64_t sequence, int64_t data, int64_t *data_out);

/* The mesh that rank `rank` of `sequence` x `data` would have, without the others: its sizes can be asked for, nothing
 * can be sent. For planning. */
rf_status rf_mesh_create_imagined(int64_t sequence, int64_t data, int rank, rf_mesh **mesh);
int rf_mesh_rank_in(const rf_mesh *mesh, rf_scope scope);
int rf_mesh_size_of(const rf_mesh *mesh, rf_scope scope);

/* RF_FAILED where MPI was not started, or has ended, and asking it for anything would end the process. */
rf_status rf_mpi_check_runs(const char *who);

/* A model that counts on how the mesh is arranged begins, and ends, to live on it. mesh NULL: nothing to do. */
void rf_mesh_hold(rf_mesh *mesh);
void rf_mesh_let_go(rf_mesh *mesh);
/* RF_BAD_CONFIG where models live on a mesh that is arranged otherwise. Not collective. mesh NULL: none do. */
rf_status rf_mesh_check_held(const rf_mesh *mesh, int64_t sequence, int64_t data);

/* Messages of more bytes are cut; at most 2^30, the value at the start. Same on all ranks. */
void rf_mesh_set_most_bytes(rf_mesh *mesh, int64_t bytes);

/* Where this rank's time goes (base/phase.h), running since the mesh was made. mesh NULL: NULL, nothing is timed. */
struct rf_phases *rf_mesh_phases(rf_mesh *mesh);

/* Seconds that this rank has stood waiting for others so far: communication that was not hidden. */
double rf_mesh_wait_seconds(const rf_mesh *mesh);
/* What it is waiting for now, or has waited for last; never NULL. *seconds: for how long by now; below 0: it does not
 * wait. From any thread: for a watchdog. mesh NULL: it never waits. */
const char *rf_mesh_waiting_for(const rf_mesh *mesh, double *seconds);

#endif
