/* The mesh of ranks: N = D data groups x S sequence ranks.
 *
 *              sequence rank s:   0     1     2
 *   data group d = 0           |  0  |  1  |  2  |      rank = d * S + s
 *   data group d = 1           |  3  |  4  |  5  |
 *
 * The S ranks of a row share the tokens of the same sequences; different rows train on different sequences. Parameters
 * are cut over all N.
 *
 * It is opened over the world before anything is known of the run, so that whoever fails from there on is heard, and
 * arranged once the configuration is known.
 *
 * Everything of comm/ is called from the main thread, and in the same order on all ranks of the group concerned. */
#ifndef RF_COMM_MESH_H
#define RF_COMM_MESH_H

#include "comm/span.h"
#include "comm/traffic.h"
#include "reformer/error.h"
#include <stdbool.h>
#include <stddef.h>

/* Call first, where ranks are needed, and once (the arguments may be NULL); only the main thread will call MPI, and a
 * call that fails says so instead of ending the process. RF_FAILED where the library cannot promise that; RF_BAD_CONFIG
 * where the environment says that the world should have more ranks (comm/launch.h). Whatever it returns, rf_mesh_open
 * comes next: other ranks may have fared better. */
rf_status rf_mpi_start(int *argc, char ***argv);
/* Call last, on every rank, whatever happened: a rank that ends without it makes the launcher kill the others. */
void rf_mpi_finish(void);

int rf_mpi_rank(void); /* in the world, from 0; 0 where MPI does not run */
int rf_mpi_size(void); /* 1 where MPI does not run */

/* Where a mesh is asked for, NULL is a mesh of this process alone: nothing travels, nothing is counted. */
typedef struct rf_mesh rf_mesh;

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

/* The mesh of the world, as 1 x N. Called by all ranks, before anything that one of them may fail in alone: from here
 * on every rank hears of every failure (comm/agree.h). so_far: how this rank has fared up to here. What one rank
 * brings, or meets here, all return. Learns where all ranks run (comm/host.h). */
rf_status rf_mesh_open(rf_status so_far, rf_mesh **mesh);
/* Arranges an open mesh as sequence x data, under which nothing is under way; again, too. Called by all ranks, who
 * agree on failures. RF_BAD_CONFIG as rf_mesh_fit. mesh NULL: this process alone must fit. */
rf_status rf_mesh_arrange(rf_mesh *mesh, int64_t sequence, int64_t data);
/* The mesh that rank `rank` of `sequence` x `data` would have, without the others: its sizes can be asked for, nothing
 * can be sent. For planning. */
rf_status rf_mesh_create_imagined(int64_t sequence, int64_t data, int rank, rf_mesh **mesh);
/* All operations are finished, unless one failed. NULL is fine. */
void rf_mesh_destroy(rf_mesh *mesh);
bool rf_mesh_is_valid(const rf_mesh *mesh);
size_t rf_mesh_memory_used(const rf_mesh *mesh); /* bytes, MPI's own not counted */

int rf_mesh_rank(const rf_mesh *mesh); /* in the world */
int rf_mesh_size(const rf_mesh *mesh);
int rf_mesh_sequence_rank(const rf_mesh *mesh);
int rf_mesh_sequence_size(const rf_mesh *mesh);
int rf_mesh_data_rank(const rf_mesh *mesh);
int rf_mesh_data_size(const rf_mesh *mesh);
int rf_mesh_rank_in(const rf_mesh *mesh, rf_scope scope);
int rf_mesh_size_of(const rf_mesh *mesh, rf_scope scope);

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
