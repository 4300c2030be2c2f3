/* Layer normalisation (Ba et al. 2016), rows of d values: y = (x - mean) / sqrt(var + eps) * scale + bias, biased
 * variance. */
#ifndef RF_KERNEL_NORM_H
#define RF_KERNEL_NORM_H

#include "kernel/matrix.h"

typedef struct rf_norm_weights {
  int64_t d;
  const real *scale, *bias; /* [d] */
  real eps;
} rf_norm_weights;

/* x, y: [rows, d]. */
void rf_norm(const rf_norm_weights *weights, int64_t rows, rf_view x, rf_matrix y);

/* dx[rows, d] += J^T dy; dscale[d] += sum of dy * xhat; dbias[d] += sum of dy. Mean and variance are recomputed. */
void rf_norm_vjp(const rf_norm_weights *weights, int64_t rows, rf_view x, rf_view dy, rf_matrix dx, real *dscale,
                 real *dbias);

#endif
