/* What messages between ranks cost, measured within a host and between hosts: latency, bandwidth, and time of the
 * processors. */
#ifndef RF_BENCH_LINKS_H
#define RF_BENCH_LINKS_H

#include "comm/mesh.h"
#include "plan/rates.h"

/* All ranks send at once: each to the next of its host, and then to the one of as high an index on the next host. host:
 * [ranks] on which each is. A link's rate stays 0 where there are no such pairs. Called by all ranks; all get the same.
 */
rf_status rf_links_measure(rf_mesh *mesh, const int *host, rf_link *within, rf_link *between);

#endif
