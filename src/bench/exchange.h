/* What the exchange of LSH attention costs on this machine and mesh. */
#ifndef RF_BENCH_EXCHANGE_H
#define RF_BENCH_EXCHANGE_H

#include "bench/bench.h"

/* Times, for one layer of the configuration's shape (its length, heads, rounds, chunks) over all sequence ranks: making
 * a plan, scatter and gather by themselves, and an LSH attention sublayer forward and reverse, with the time in which
 * messages were not hidden behind arithmetic. Prints a table on standard output; collective over all ranks. */
rf_status rf_bench_exchange(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options);

#endif
