/* What a training step costs on this machine. */
#ifndef RF_BENCH_STEP_H
#define RF_BENCH_STEP_H

#include "bench/bench.h"

/* Runs options->repeats training steps and prints, on standard output: tokens/s; operations counted by kind, and the
 * share of the machine's measured peak that dense and attention make; time by phase; bytes by purpose; memory. Called
 * by all ranks of the mesh, which gets the shape of the configuration. */
rf_status rf_bench_step(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options);

#endif
