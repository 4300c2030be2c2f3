/* What the exchange of LSH attention costs on this machine and mesh. */
#ifndef RF_BENCH_EXCHANGE_H
#define RF_BENCH_EXCHANGE_H

#include "comm/mesh.h"
#include "reformer/config.h"
#include "reformer/error.h"

typedef struct rf_bench_exchange_options {
  int64_t repeats;       /* of which medians are taken */
  double skew;           /* 0: buckets are equally likely; s: bucket = n u^(1 + s), u uniform */
  const char *json_path; /* NULL: none */
} rf_bench_exchange_options;

/* Times, for one layer of the configuration's shape (its length, heads, rounds, chunks) over all sequence ranks: making
 * a plan, scatter and gather by themselves, and an LSH attention sublayer forward and reverse, with the time in which
 * messages were not hidden behind arithmetic. Prints a table on standard output; collective over all ranks. */
rf_status rf_bench_exchange(const rf_config *config, rf_mesh *mesh, const rf_bench_exchange_options *options);

#endif
