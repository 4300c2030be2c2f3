#include "kernel/exponential.h"
#include "kernel/vector_math.h"

#ifdef RF_DOUBLE

#define RF_EXP_UNDERFLOW R_(-708)
#define RF_EXP_TINY R_(3.4e-308) /* a little above exp(RF_EXP_UNDERFLOW) */

/* The vector routines fall back to a scalar call for every lane that underflows, and half the logits of a causal window
 * do: without the clamp they took a tenth of a step. Two loops, not one: seeing clamp and test together, the compiler
 * drops the clamp. A function of its own: inlined into its callers, the second loop stayed scalar. */
real rf_exp_row(int64_t n, real largest, real *restrict x) {
  real sum = 0;
#pragma omp simd
  for (int64_t j = 0; j < n; j++) {
    const real shifted = x[j] - largest;
    x[j] = shifted < RF_EXP_UNDERFLOW ? RF_EXP_UNDERFLOW : shifted;
  }
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) {
    const real e = rf_exp(x[j]);
    x[j] = e < RF_EXP_TINY ? 0 : e; /* NaN stays */
    sum += x[j];
  }
  return sum;
}

#else

#define RF_EXP_UNDERFLOW R_(-87)

typedef union bits {
  real value;
  int32_t integer;
} bits;

/* exp(x) = 2^n exp(r), n = round(x / ln 2), |r| <= ln(2) / 2, with the polynomial of Cephes' expf (Moshier 1992):
 * within two roundings. Adding `round` leaves n in the low bits of the sum. In one loop with the sum: libmvec's expf,
 * called for every vector, took twice the time. */
real rf_exp_row(int64_t n, real largest, real *restrict x) {
  const real log2_e = R_(1.44269504088896341), ln2_high = R_(0.693359375), ln2_low = R_(-2.12194440e-4);
  const real round = R_(12582912); /* 1.5 * 2^23 */
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) {
    const real shifted = x[j] - largest;
    const bits power = {.value = shifted * log2_e + round};
    const real whole = power.value - round, r = (shifted - whole * ln2_high) - whole * ln2_low;
    real p = R_(1.9875691500e-4);
    p = p * r + R_(1.3981999507e-3);
    p = p * r + R_(8.3334519073e-3);
    p = p * r + R_(4.1665795894e-2);
    p = p * r + R_(1.6666665459e-1);
    p = p * r + R_(5.0000001201e-1);
    p = p * (r * r) + r + 1;
    const bits scale = {.integer = (int32_t)(((uint32_t)power.integer << 23) + 0x3f800000u)};
    const real e = p * scale.value;
    x[j] = shifted < RF_EXP_UNDERFLOW ? 0 : e; /* NaN stays */
    sum += x[j];
  }
  return sum;
}

#endif
