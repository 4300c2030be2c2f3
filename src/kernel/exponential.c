#include "kernel/exponential.h"

#ifdef RF_DOUBLE

/* exp that the compiler may call on whole vectors. glibc ships it in libmvec but declares it only under -ffast-math,
 * which we do not want: it would also let the compiler reorder sums and drop infinities. */
#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
__attribute__((simd("notinbranch"), const, nothrow)) extern double exp(double x);
#endif

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

/* In one loop with the sum: libmvec's expf, called for every vector, took twice the time. */
real rf_exp_row(int64_t n, real largest, real *restrict x) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t j = 0; j < n; j++) {
    x[j] = rf_exp_inline(x[j] - largest, 0);
    sum += x[j];
  }
  return sum;
}

#endif
