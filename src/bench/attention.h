/* LSH, local and full attention side by side, over lengths. */
#ifndef RF_BENCH_ATTENTION_H
#define RF_BENCH_ATTENTION_H

#include "bench/bench.h"

/* Times one attention sublayer of the configuration's shape, forward and reverse, as lsh with 1, 2, 4 and 8 rounds, as
 * local and as full attention, over lengths; prints a table and from which length on LSH beats full attention. A kind
 * whose time passes half a minute is not tried at greater lengths. Collective over all ranks. */
rf_status rf_bench_attention(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options);

#endif
