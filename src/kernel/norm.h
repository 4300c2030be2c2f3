/* Layer normalisation (Ba et al. 2016), rows of d values: y = (x - mean) / sqrt(var + eps) * scale + bias, biased
 * variance. */
#ifndef RF_KERNEL_NORM_H
#define RF_KERNEL_NORM_H

#include "reformer/real.h"
#include <stdint.h>

/* x, y: [rows, d] with row strides ldx, ldy; scale, bias: [d]. */
void rf_norm(int64_t rows, int64_t d, const real *x, int64_t ldx, const real *scale, const real *bias, real eps,
             real *y, int64_t ldy);

/* dx[rows, d] += J^T dy; dscale[d] += sum of dy * xhat; dbias[d] += sum of dy. Mean and variance are recomputed. */
void rf_norm_vjp(int64_t rows, int64_t d, const real *x, int64_t ldx, const real *scale, real eps, const real *dy,
                 int64_t ldy, real *dx, int64_t lddx, real *dscale, real *dbias);

#endif
