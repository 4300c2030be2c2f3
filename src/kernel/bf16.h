/* bfloat16: the upper half of a float. It has the float's range and 8 bits of its precision, so that a number of either
 * kind becomes the other by cutting or by appending zeros. */
#ifndef RF_KERNEL_BF16_H
#define RF_KERNEL_BF16_H

#include "reformer/real.h"
#include <stdint.h>
#include <string.h>

/* Rounded to the nearest, ties to even. What is not a number stays so. */
static inline uint16_t rf_bf16_of(real x) {
  const float single = (float)x;
  uint32_t bits;
  memcpy(&bits, &single, sizeof bits);
  const uint32_t rounded = (bits + 0x7fffU + (bits >> 16 & 1U)) >> 16, quiet = bits >> 16 | 0x40U;
  return (uint16_t)((bits & 0x7fffffffU) > 0x7f800000U ? quiet : rounded);
}

static inline real rf_bf16_value(uint16_t x) {
  const uint32_t bits = (uint32_t)x << 16;
  float single;
  memcpy(&single, &bits, sizeof single);
  return (real)single;
}

/* from, to: [n] */
static inline void rf_bf16_pack(int64_t n, const real *restrict from, uint16_t *restrict to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) to[i] = rf_bf16_of(from[i]);
}

static inline void rf_bf16_unpack(int64_t n, const uint16_t *restrict from, real *restrict to) {
#pragma omp simd
  for (int64_t i = 0; i < n; i++) to[i] = rf_bf16_value(from[i]);
}

#endif
