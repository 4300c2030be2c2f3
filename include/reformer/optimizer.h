/* Optimizers over the shards of a parameter store: Adam (Kingma and Ba 2015; decoupled decay as in
 * Loshchilov and Hutter 2019) and Adafactor (Shazeer and Stern 2018).
 *
 * Tensors with two or more dimensions larger than 1 are matrices (columns: the last one). Only they decay, by
 * rate * weight_decay * parameter, and only they have Adafactor's factored second moments; norms and biases do neither.
 */
#ifndef REFORMER_OPTIMIZER_H
#define REFORMER_OPTIMIZER_H

#include "reformer/config.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/store.h"
#include <stdbool.h>

RF_API_BEGIN

typedef struct rf_optimizer rf_optimizer;

/* config and store are lent and outlive the optimizer. */
rf_status rf_optimizer_create(const rf_optimizer_config *config, rf_store *store, rf_optimizer **optimizer);
void rf_optimizer_destroy(rf_optimizer *optimizer);

/* One update of every shard from its gradient times `gradient_scale` (clipping, applied on the fly).
 * step counts from 1; rate: of rf_schedule_rate. Allocates nothing; the result does not depend on the number of
 * threads. A gradient that is not finite must not come here: it would stay in the moments. */
rf_status rf_optimizer_update(rf_optimizer *optimizer, int64_t step, double rate, double gradient_scale);
size_t rf_optimizer_memory_used(const rf_optimizer *optimizer);
/* What that would be for rank `rank` of `ranks`, without an optimizer: for planning. About, to a few kilobytes. */
size_t rf_optimizer_footprint(const rf_optimizer_config *config, const rf_layout *layout, int ranks, int rank);

/* A named array of numbers that a run's state is made of, and the part of it that is on this rank. */
typedef struct rf_state_array {
  const char *kind; /* "parameters", "optimizer/first", ...: static text */
  int block;        /* of the store's layout */
  int tensor;       /* -1: the array runs along the block's flat vector; else it belongs to this tensor of the block */
  int64_t total;    /* elements of the whole array */
  int64_t first, count; /* elements [first, first + count) are here */
  bool replicated;      /* whole and the same on every rank */
  real *values;         /* [count] */
} rf_state_array;

/* What the optimizer carries from step to step, in a fixed order: Adam's optimizer/first and optimizer/second of each
 * block; Adafactor's optimizer/row and optimizer/column of each matrix, optimizer/second of each vector, and
 * optimizer/first of each block where beta1 is above 0. Returns how many; arrays: room for them, or NULL to count. */
int rf_optimizer_state(const rf_optimizer *optimizer, rf_state_array *arrays);

/* The learning rate of a step (from 1) of a run of `steps`: linear warm-up to lr at step `warmup`, then constant,
 * lr * sqrt(warmup / step), or a half cosine or a line down to lr_end * lr at the last step.
 * Adafactor with relative_step: rho_t = min(0.01, 1 / sqrt(step)) instead. */
double rf_schedule_rate(const rf_optimizer_config *config, int64_t step, int64_t steps);

/* The 2-norm of all gradients of all ranks, summed in double in a fixed order; NaN or infinity when any is. */
rf_status rf_gradient_norm(const rf_store *store, double *norm);
/* The factor that brings a gradient of norm `norm` down to at most clip_norm; 1 where clip_norm is 0 or norm NaN. */
double rf_clip_scale(double norm, double clip_norm);

RF_API_END

#endif
