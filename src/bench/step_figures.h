/* What training steps cost, measured. */
#ifndef RF_BENCH_STEP_FIGURES_H
#define RF_BENCH_STEP_FIGURES_H

#include "bench/spent.h"
#include "comm/mesh.h"
#include "model/operations.h"
#include "reformer/config.h"
#include "reformer/model.h"

typedef struct rf_step_figures {
  int ranks, threads;
  int64_t steps, tokens;  /* timed; tokens of a step */
  double median, fastest; /* seconds of a step */
  rf_spent spent;
  rf_operations work;     /* of a token; less what was stashed and not computed again */
  rf_stash_summary stash; /* what was stashed */
  size_t growths;         /* of scratch memory after the first step */
  int64_t parameters;
  /* Bytes, each of the rank with most: resident at the highest; parameters and gradients; moments; activations and
   * transients; the sequences of a step. */
  double resident, store, optimizer, scratch, sequences;
} rf_step_figures;

/* Runs one step that touches memory for the first time, and then `steps` that are timed. Called by all
 * ranks; all get the same figures. */
rf_status rf_step_figures_measure(const rf_config *config, rf_mesh *mesh, int64_t steps, rf_step_figures *figures);

#endif
