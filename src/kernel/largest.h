/* The largest number of a row, and where a number stands in it, by a minimum over places: no compiler takes a search
 * that ends at what it finds to vectors. */
#ifndef RF_KERNEL_LARGEST_H
#define RF_KERNEL_LARGEST_H

#include "kernel/transpose.h"

#ifdef __clang__ /* which makes no vectors of a loop for such a maximum, for the sake of NaN */

static inline __attribute__((always_inline)) rf_vector rf_larger(rf_vector a, rf_vector b) {
  const rf_lane_numbers take = b > a;
  return (rf_vector)(((rf_lane_numbers)b & take) | ((rf_lane_numbers)a & ~take));
}

/* Of sign * x[n]; NaN is passed over. */
static inline __attribute__((always_inline)) real rf_largest(int64_t n, real sign, const real *x) {
  enum { AT_ONCE = 4 }; /* independent ones, for each waits for the one before it */
  rf_vector most[AT_ONCE];
  real largest = -RF_REAL_MAX;
  int64_t j = 0;
#pragma GCC unroll 4
  for (int i = 0; i < AT_ONCE; i++) most[i] = (rf_vector){0} - RF_REAL_MAX;
  for (; j + AT_ONCE * RF_LANES <= n; j += AT_ONCE * RF_LANES) {
#pragma GCC unroll 4
    for (int i = 0; i < AT_ONCE; i++)
      most[i] = rf_larger(most[i], sign * *(const rf_vector_anywhere *)(x + j + i * RF_LANES));
  }
  for (; j + RF_LANES <= n; j += RF_LANES) most[0] = rf_larger(most[0], sign * *(const rf_vector_anywhere *)(x + j));
  const rf_vector all = rf_larger(rf_larger(most[0], most[1]), rf_larger(most[2], most[3]));
  for (int i = 0; i < RF_LANES; i++) largest = all[i] > largest ? all[i] : largest;
  for (; j < n; j++) largest = sign * x[j] > largest ? sign * x[j] : largest;
  return largest;
}

#else /* which has one instruction for it, and by hand takes two: 5 % of a block of attention */

/* Of sign * x[n]; NaN is passed over. */
static inline __attribute__((always_inline)) real rf_largest(int64_t n, real sign, const real *x) {
  real largest = -RF_REAL_MAX;
#pragma omp simd reduction(max : largest)
  for (int64_t j = 0; j < n; j++) largest = sign * x[j] > largest ? sign * x[j] : largest;
  return largest;
}

#endif

/* The first j with x[j] = wanted; n - 1 where there is none. */
static inline int64_t rf_first_of(int64_t n, real wanted, const real *x) {
  int32_t first = (int32_t)n - 1;
#pragma omp simd reduction(min : first)
  for (int32_t j = 0; j < (int32_t)n; j++) {
    const int32_t here = x[j] == wanted ? j : INT32_MAX;
    first = here < first ? here : first;
  }
  return first;
}

#endif
