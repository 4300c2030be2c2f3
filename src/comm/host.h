/* Where ranks run, as all of them learned when the mesh was opened: which share a host, and its cores. Nothing here is
 * collective. mesh NULL, or imagined: this process is alone. */
#ifndef RF_COMM_HOST_H
#define RF_COMM_HOST_H

#include "comm/place.h"
#include "reformer/mesh_view.h"

/* Of a rank of the world. */
const char *rf_host_name(const rf_mesh *mesh, int rank);

rf_host_share rf_host_share_of(const rf_mesh *mesh);

/* Ranks on this machine, this one included: they share its memory. */
int rf_host_ranks(const rf_mesh *mesh);

/* host: [ranks of the world] number of each rank's host, from 0 in the order of their first ranks; *hosts: how many. */
void rf_host_of_ranks(const rf_mesh *mesh, int *host, int *hosts);

#endif
