/* Which ranks share a host and its cores: for the number of threads, and for the lines a run starts with. */
#ifndef RF_COMM_HOST_H
#define RF_COMM_HOST_H

#include "reformer/error.h"
#include <stdbool.h>

/* What this rank has to share with others on its host. */
typedef struct rf_host_share {
  int sharers;       /* ranks whose cores overlap this rank's, itself included: what its cores must be divided by */
  int turn;          /* this rank's place among them, from 0 */
  bool alike;        /* they all have the same cores */
  int quota_sharers; /* ranks whose CPU quota is this rank's, itself included */
} rf_host_share;

/* Collective, where MPI was started. */
rf_status rf_host_share_of(rf_host_share *share);

/* Ranks on this host, this one included. Collective. */
rf_status rf_host_ranks(int *ranks);

/* host: [ranks of the world] number of each rank's host, from 0 in the order of their first ranks; *hosts: how many.
 * Collective. */
rf_status rf_host_of_ranks(int *host, int *hosts);

/* Calls say(line) on rank 0 for every host, in rank order: "host n0: ranks 0-3, 2 threads each, cores 0-1 2-3 4-5 6-7",
 * and ", CPU quota of 4 cores" where there is one. Collective. */
rf_status rf_host_describe(int threads, void (*say)(const char *line));

#endif
