#include "kernel/activation.h"
#include "kernel/vector_math.h"

#define SQRT_HALF R_(0.70710678118654752440)
#define INV_SQRT_2PI R_(0.39894228040143267794)

void rf_activate(rf_activation kind, int64_t n, const real *pre, real *h) {
  if (kind == RF_RELU) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) h[i] = pre[i] > 0 ? pre[i] : 0;
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) h[i] = R_(0.5) * pre[i] * (1 + rf_erf(pre[i] * SQRT_HALF));
  }
}

void rf_activate_vjp(rf_activation kind, int64_t n, const real *restrict pre, real *restrict dh) {
  if (kind == RF_RELU) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dh[i] = pre[i] > 0 ? dh[i] : 0;
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
      const real x = pre[i];
      const real cdf = R_(0.5) * (1 + rf_erf(x * SQRT_HALF));
      dh[i] *= cdf + x * INV_SQRT_2PI * rf_exp(R_(-0.5) * x * x);
    }
  }
}
