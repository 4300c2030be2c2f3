/* What a machine, or a cluster of them, does in a second. */
#ifndef RF_BENCH_CLUSTER_H
#define RF_BENCH_CLUSTER_H

#include "bench/bench.h"

/* Measures the rates of a plan on all ranks of `mesh` for the configuration's widths, heads and rounds, at 4,096 tokens
 * (fewer where its length is less), and writes them to options->json_path; prints them on standard output.
 * Collective. */
rf_status rf_bench_cluster(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options);

#endif
