/* What a checkpoint costs on this machine and disk. */
#ifndef RF_BENCH_CHECKPOINT_H
#define RF_BENCH_CHECKPOINT_H

#include "bench/bench.h"

/* Times, turn by turn, for the state of the configuration's model and optimizer: a plain file a rank of the same bytes,
 * written front to back and synced; a checkpoint while all wait; a memcpy of the state by all threads; a checkpoint
 * beside a training that polls, and how long that stood still; both files read back. Prints a table on standard
 * output; collective over all ranks. */
rf_status rf_bench_checkpoint(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options);

#endif
