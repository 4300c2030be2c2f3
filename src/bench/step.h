/* What a training step costs on this machine. */
#ifndef RF_BENCH_STEP_H
#define RF_BENCH_STEP_H

#include "comm/mesh.h"
#include "reformer/config.h"
#include "reformer/error.h"
#include <stdint.h>

/* Runs `steps` training steps and prints, on standard output: tokens/s; operations counted by kind, and the share of
 * the machine's measured peak that dense and attention make; time by phase; bytes by purpose; memory. json_path: the
 * same as JSON, NULL: none. Called by all ranks of the mesh, which gets the shape of the configuration. */
rf_status rf_bench_step(const rf_config *config, rf_mesh *mesh, int64_t steps, const char *json_path);

#endif
