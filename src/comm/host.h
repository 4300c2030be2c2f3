/* Which ranks share a host and its cores: for the number of threads, and for the lines a run starts with. */
#ifndef RF_COMM_HOST_H
#define RF_COMM_HOST_H

#include "reformer/error.h"

/* Ranks on this host, this one included, whose cores overlap this rank's: what its cores must be divided by.
 * Collective. */
rf_status rf_host_sharers(int *sharers);

/* Ranks on this host, this one included. Collective. */
rf_status rf_host_ranks(int *ranks);

/* host: [ranks of the world] number of each rank's host, from 0 in the order of their first ranks; *hosts: how many.
 * Collective. */
rf_status rf_host_of_ranks(int *host, int *hosts);

/* Calls say(line) on rank 0 for every host, in rank order: "host n0: ranks 0-3, 2 threads each, cores 0-1 2-3 4-5 6-7".
 * Collective. */
rf_status rf_host_describe(int threads, void (*say)(const char *line));

#endif
