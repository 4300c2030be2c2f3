/* What a training step costs on this machine. */
#ifndef RF_TRAIN_BENCH_H
#define RF_TRAIN_BENCH_H

#include "reformer/config.h"
#include "reformer/error.h"
#include <stdint.h>

/* Runs `steps` training steps, prints tokens/s and the share of the machine's measured peak that their arithmetic
 * reaches, on standard output; json_path: the same as JSON, NULL: none. */
rf_status rf_bench_step(const rf_config *config, int64_t steps, const char *json_path);

#endif
