#include "kernel/key_norm.h"
#include <stdbool.h>

#define RMS_EPSILON R_(1e-6)
#define UNIT_EPSILON R_(1e-12)

/* The factor, and in *slope the c of ds/dq = -c q. */
static real factor_and_slope(rf_key_norm kind, int64_t d_head, const real *q, real *slope) {
  real squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < d_head; j++) squares += q[j] * q[j];
  const real root = rf_sqrt((real)d_head);
  if (kind == RF_KEYS_RMS) {
    const real mean = squares / (real)d_head + RMS_EPSILON;
    const real s = 1 / (rf_sqrt(mean) * root);
    *slope = s / ((real)d_head * mean);
    return s;
  }
  const real length = rf_sqrt(squares);
  const bool tiny = length <= UNIT_EPSILON;
  const real s = 1 / ((tiny ? UNIT_EPSILON : length) * root);
  *slope = tiny ? 0 : s / squares;
  return s;
}

real rf_key_factor(rf_key_norm kind, int64_t d_head, const real *q) {
  real slope;
  return factor_and_slope(kind, d_head, q, &slope);
}

void rf_key_norm_vjp(rf_key_norm kind, int64_t d_head, const real *restrict q, const real *restrict dk,
                     real *restrict dq) {
  real slope, dot = 0;
  const real s = factor_and_slope(kind, d_head, q, &slope);
#pragma omp simd reduction(+ : dot)
  for (int64_t j = 0; j < d_head; j++) dot += q[j] * dk[j];
#pragma omp simd
  for (int64_t j = 0; j < d_head; j++) dq[j] += s * dk[j] - slope * dot * q[j];
}
