/* What one training step was like. */
#ifndef REFORMER_STEP_H
#define REFORMER_STEP_H

#include "reformer/loss.h"
#include <stdbool.h>

/* The same on all ranks. */
typedef struct rf_step_result {
  rf_loss loss; /* sums over the batch, of all ranks */
  double learning_rate;
  double grad_norm; /* before clipping */
  bool skipped;     /* loss or gradient not finite: parameters and optimizer state are as before */
} rf_step_result;

#endif
