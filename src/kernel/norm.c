#include "kernel/norm.h"

/* Two passes over a row that sits in cache: the one-pass formula loses half the digits when |mean| >> deviation. */
static void row_moments(const real *x, int64_t d, real eps, real *mean_out, real *inv_out) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < d; j++) sum += x[j];
  const real mean = sum / (real)d;
  real squares = 0;
#pragma omp simd reduction(+ : squares)
  for (int64_t j = 0; j < d; j++) squares += (x[j] - mean) * (x[j] - mean);
  *mean_out = mean;
  *inv_out = R_(1) / rf_sqrt(squares / (real)d + eps);
}

void rf_norm(const rf_norm_weights *weights, int64_t rows, rf_view from, rf_matrix to) {
  const int64_t d = weights->d;
  const real *restrict x = from.data, *restrict scale = weights->scale, *restrict bias = weights->bias;
  real *restrict y = to.data;
  for (int64_t i = 0; i < rows; i++, x += from.ld, y += to.ld) {
    real mean, inv;
    row_moments(x, d, weights->eps, &mean, &inv);
#pragma omp simd
    for (int64_t j = 0; j < d; j++) y[j] = (x[j] - mean) * inv * scale[j] + bias[j];
  }
}

/* With g = dy * scale and xhat = (x - mean) inv:  dx = inv (g - mean(g) - xhat mean(g xhat)). */
void rf_norm_vjp(const rf_norm_weights *weights, int64_t rows, rf_view from, rf_view upstream, rf_matrix to,
                 real *restrict dscale, real *restrict dbias) {
  const int64_t d = weights->d;
  const real *restrict x = from.data, *restrict dy = upstream.data, *restrict scale = weights->scale;
  real *restrict dx = to.data;
  for (int64_t i = 0; i < rows; i++, x += from.ld, dy += upstream.ld, dx += to.ld) {
    real mean, inv, sum = 0, dot = 0;
    row_moments(x, d, weights->eps, &mean, &inv);
#pragma omp simd reduction(+ : sum, dot)
    for (int64_t j = 0; j < d; j++) {
      const real xhat = (x[j] - mean) * inv;
      dscale[j] += dy[j] * xhat;
      dbias[j] += dy[j];
      sum += dy[j] * scale[j];
      dot += dy[j] * scale[j] * xhat;
    }
    sum /= (real)d;
    dot /= (real)d;
#pragma omp simd
    for (int64_t j = 0; j < d; j++) dx[j] += inv * (dy[j] * scale[j] - sum - (x[j] - mean) * inv * dot);
  }
}
