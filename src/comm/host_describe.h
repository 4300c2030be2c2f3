/* What each host computes with, said on rank 0. */
#ifndef RF_COMM_HOST_DESCRIBE_H
#define RF_COMM_HOST_DESCRIBE_H

#include "reformer/error.h"
#include "reformer/mesh_view.h"

/* Calls say(line) on rank 0 for every host, in rank order: "host n0: ranks 0-3, 2 threads each, cores 0-1 2-3 4-5 6-7",
 * and ", CPU quota of 4 cores" where there is one.
 * threads: of this rank. Collective. mesh NULL, or imagined: nothing is said. */
rf_status rf_host_describe(rf_mesh *mesh, int threads, void (*say)(const char *line));

#endif
