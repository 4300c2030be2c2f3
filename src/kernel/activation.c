#include "kernel/activation.h"
#include "kernel/exponential.h"

#define INV_SQRT_2PI R_(0.39894228040143267794)

/* Phi(x), and in *density phi(x), of the normal distribution. */
#ifdef RF_DOUBLE

#define VECTORS /* there are none of erfc */

static inline real normal(real x, real *density) {
  *density = INV_SQRT_2PI * rf_exp(R_(-0.5) * x * x);
  return R_(0.5) * erfc(-x * R_(0.70710678118654752440));
}

#else

#define VECTORS _Pragma("omp simd")

/* Both from one exponential: for y >= 0, Phi(-y) = exp(-y^2 / 2) G(y), where G is smooth: u P(u), u = 1 / (1 + 0.344
 * y), with the P of eight degrees that keeps the largest relative error on [0, 13.5], 2e-8, least (by Lawson's
 * weights). The loop needs no vector routine of a libm: many have no erf, and scalar ones take half of a step. */
static inline __attribute__((always_inline)) real normal(real x, real *density) {
  const real most = 14, size = rf_fabs(x), y = size > most ? most : size; /* beyond, exp is 0; NaN stays */
  rf_exp_bits high = {.value = y};
  high.integer &= ~0xfff; /* its square is exact, the rest's part is small: no rounding of the exponent counts */
  const real rest = R_(-0.5) * (y - high.value) * (y + high.value);
  const real e = rf_exp_inline(R_(-0.5) * (high.value * high.value), rest);
  const real u = 1 / (1 + R_(0.344) * y);
  real p = R_(-2.816431007944e-02);
  p = p * u + R_(1.452412267560e-01);
  p = p * u - R_(2.737534209830e-01);
  p = p * u + R_(1.924696878461e-01);
  p = p * u - R_(4.043735070419e-02);
  p = p * u + R_(1.130662991826e-01);
  p = p * u + R_(1.167037154235e-01);
  p = p * u + R_(1.376554869643e-01);
  p = p * u + R_(1.372186622258e-01);
  const real tail = e * (p * u);
  *density = INV_SQRT_2PI * e;
  return x > 0 ? 1 - tail : tail;
}

#endif

void rf_activate(rf_activation kind, int64_t n, const real *pre, real *h) {
  if (kind == RF_RELU) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) h[i] = pre[i] > 0 ? pre[i] : 0;
  } else {
    VECTORS
    for (int64_t i = 0; i < n; i++) {
      real density;
      h[i] = pre[i] * normal(pre[i], &density);
    }
  }
}

void rf_activate_with_slope(rf_activation kind, int64_t n, const real *pre, real *h, real *slope) {
  if (kind == RF_RELU) {
    rf_activate(kind, n, pre, h);
  } else {
    VECTORS
    for (int64_t i = 0; i < n; i++) {
      real density;
      const real x = pre[i], below = normal(x, &density);
      h[i] = x * below;
      slope[i] = below + x * density;
    }
  }
}

void rf_activate_vjp(rf_activation kind, int64_t n, const real *restrict h, const real *restrict slope,
                     real *restrict dh) {
  if (kind == RF_RELU) {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dh[i] = h[i] > 0 ? dh[i] : 0;
  } else {
#pragma omp simd
    for (int64_t i = 0; i < n; i++) dh[i] *= slope[i];
  }
}
