/* What a checkpoint costs, measured. */
#ifndef RF_BENCH_CHECKPOINT_FIGURES_H
#define RF_BENCH_CHECKPOINT_FIGURES_H

#include "bench/bench.h"

/* What takes turns: a plain file a rank; a checkpoint while all wait; a memcpy of the state; how long training stands
 * still for a checkpoint beside it, and how long that takes; both files read back. */
typedef enum rf_saving_time {
  RF_TIME_PLAIN_WRITE,
  RF_TIME_WRITE,
  RF_TIME_COPY,
  RF_TIME_STALL,
  RF_TIME_BESIDE,
  RF_TIME_PLAIN_READ,
  RF_TIME_READ,
  RF_SAVING_TIMES
} rf_saving_time;

typedef struct rf_checkpoint_figures {
  int64_t bytes;                   /* that all ranks save */
  double seconds[RF_SAVING_TIMES]; /* of the slowest rank, medians over turns */
  double written, read, still;     /* medians over turns of: plain / checkpoint, twice; stall / memcpy */
} rf_checkpoint_figures;

/* Called by all ranks; all get the same. A folder of its own is made in options->folder, and removed. RF_STOPPED where
 * a signal came (train/stop.h). */
rf_status rf_checkpoint_figures_measure(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options,
                                        rf_checkpoint_figures *figures);

#endif
