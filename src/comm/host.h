/* Where ranks run, as all of them learned when the mesh was opened: which share a host, and its cores. Nothing here is
 * collective but rf_host_describe. mesh NULL, or imagined: this process is alone. */
#ifndef RF_COMM_HOST_H
#define RF_COMM_HOST_H

#include "comm/mesh.h"
#include <stdbool.h>

/* Of a rank of the world. */
const char *rf_host_name(const rf_mesh *mesh, int rank);

/* What this rank has to share with others on its machine, in whatever containers they run. */
typedef struct rf_host_share {
  int sharers;       /* ranks whose cores overlap this rank's, itself included: what its cores must be divided by */
  int turn;          /* this rank's place among them, from 0 */
  bool alike;        /* they all have the same cores */
  int quota_sharers; /* ranks whose CPU quota is this rank's, itself included */
} rf_host_share;
rf_host_share rf_host_share_of(const rf_mesh *mesh);

/* Ranks on this machine, this one included: they share its memory. */
int rf_host_ranks(const rf_mesh *mesh);

/* host: [ranks of the world] number of each rank's host, from 0 in the order of their first ranks; *hosts: how many. */
void rf_host_of_ranks(const rf_mesh *mesh, int *host, int *hosts);

/* Calls say(line) on rank 0 for every host, in rank order: "host n0: ranks 0-3, 2 threads each, cores 0-1 2-3 4-5 6-7",
 * and ", CPU quota of 4 cores" where there is one.
 * threads: of this rank. Collective. */
rf_status rf_host_describe(rf_mesh *mesh, int threads, void (*say)(const char *line));

#endif
