/* Failures known to all ranks. A rank that fails between two points of agreement goes straight to the next one:
 *
 *   rank 0   ... waits for rows (learns of it, fails) --> rf_agree: all ranks return rank 1's status and message
 *   rank 1   ... fails ---------------------------------> rf_agree (tells everybody first)
 *   rank 2   ... compute ------------ waits for rows (same) --> rf_agree
 *
 * So nobody waits for a rank that will not come, and all end with one message. */
#ifndef REFORMER_AGREE_H
#define REFORMER_AGREE_H

#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/mesh_view.h"

RF_API_BEGIN

/* Called by all ranks of the world, at the same points. RF_OK where every rank brings RF_OK. Else every rank returns
 * the gravest status that a rank brought (RF_BAD_CONFIG, then RF_BAD_DATA, RF_FAILED, RF_STOPPED) with the message of
 * the lowest of the ranks that brought it, which is named with its host unless all ranks bring the same. After a
 * failure the mesh is of no more use: starting anything fails with that message, so does every further agreement (which
 * sends nothing, so agreements may be nested), and what was lent to operations must stay until MPI is finished. mesh
 * NULL: returns `status`. */
rf_status rf_agree(rf_mesh *mesh, rf_status status);

RF_API_END

#endif
