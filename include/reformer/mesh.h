/* The ranks that train together: N = D data groups x S sequence ranks.
 *
 *              sequence rank s:   0     1     2
 *   data group d = 0           |  0  |  1  |  2  |      rank = d * S + s
 *   data group d = 1           |  3  |  4  |  5  |
 *
 * The S ranks of a row share the tokens of the same sequences; different rows train on different sequences. Parameters
 * are cut over all N. Where a mesh is asked for, NULL is a mesh of this process alone, which needs no MPI. What can be
 * asked of it is in reformer/mesh_view.h.
 *
 * It is opened over the world before anything is known of the run, so that whoever fails from there on is heard, and
 * arranged once the configuration is known. What takes a mesh is called from the main thread, and what is collective
 * by all ranks in the same order (reformer/agree.h tells what becomes of a rank that fails):
 *
 *   rf_status status = rf_mesh_open(rf_mpi_start(&argc, &argv), &mesh);
 *   if (status == RF_OK) status = rf_agree(mesh, whatever(mesh));
 *   rf_mesh_destroy(mesh);
 *   rf_mpi_finish(); */
#ifndef REFORMER_MESH_H
#define REFORMER_MESH_H

#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/mesh_view.h"
#include <stdint.h>

RF_API_BEGIN

/* Call first, where ranks are needed, and once (the arguments may be NULL); only the main thread will call MPI, and a
 * call that fails says so instead of ending the process. RF_FAILED where the library cannot promise that, as in a
 * program that has started MPI itself; RF_BAD_CONFIG where the environment says that the world should have more ranks,
 * or where the processor lacks instructions that this library was compiled for. Whatever it returns, rf_mesh_open comes
 * next: other ranks may have fared better. */
rf_status rf_mpi_start(int *argc, char ***argv);
/* Call last, on every rank, whatever happened: a rank that ends without it makes the launcher kill the others. Ends
 * what rf_mpi_start started; meshes can only be destroyed then, and what is asked of them returns RF_FAILED. */
void rf_mpi_finish(void);

int rf_mpi_rank(void); /* in the world, from 0; 0 where MPI does not run */
int rf_mpi_size(void); /* 1 where MPI does not run */

/* The mesh of the world, as 1 x N. Collective, before anything that one rank may fail in alone: from here on every rank
 * hears of every failure. so_far: how this rank has fared up to here. What one rank brings, or meets here, all return.
 * Learns where all ranks run; from here on only rank 0 writes to the log. *mesh: the caller destroys it; NULL after a
 * failure. */
rf_status rf_mesh_open(rf_status so_far, rf_mesh **mesh);
/* Arranges an open mesh as sequence x data (data 0: all that is left), under which nothing is under way; again, too.
 * Collective. RF_BAD_CONFIG, on all ranks, where that is not the number of ranks, or where a session or a model lives
 * on the mesh in another arrangement. mesh NULL: this process alone must fit. */
rf_status rf_mesh_arrange(rf_mesh *mesh, int64_t sequence, int64_t data);
/* All operations are finished, unless one failed. NULL is fine. */
void rf_mesh_destroy(rf_mesh *mesh);

RF_API_END

#endif
