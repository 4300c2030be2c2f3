/* Exponentials of a row of logits, and the one in float that other loops may hold. */
#ifndef RF_KERNEL_EXPONENTIAL_H
#define RF_KERNEL_EXPONENTIAL_H

#include "reformer/real.h"
#include <stdint.h>

/* x[n] = exp(x - largest) for x <= largest, exactly 0 where that would underflow; returns the sum. */
real rf_exp_row(int64_t n, real largest, real *x);

#ifndef RF_DOUBLE

typedef union rf_exp_bits {
  real value;
  int32_t integer;
} rf_exp_bits;

/* exp(x + rest) for x <= 0 and |rest| < 0.06; exactly 0 for x below -87, and NaN stays. 2^n exp(r), n = round(x / ln
 * 2), |r| <= ln(2) / 2 + |rest|, with the polynomial of Cephes' expf (Moshier 1992): within two roundings. Adding
 * `round` leaves n in the low bits of the sum. */
static inline __attribute__((always_inline)) real rf_exp_inline(real x, real rest) {
  const real log2_e = R_(1.44269504088896341), ln2_high = R_(0.693359375), ln2_low = R_(-2.12194440e-4);
  const real round = R_(12582912), underflow = R_(-87); /* 1.5 * 2^23 */
  const rf_exp_bits power = {.value = x * log2_e + round};
  const real whole = power.value - round, r = (x - whole * ln2_high) - (whole * ln2_low - rest);
  real p = R_(1.9875691500e-4);
  p = p * r + R_(1.3981999507e-3);
  p = p * r + R_(8.3334519073e-3);
  p = p * r + R_(4.1665795894e-2);
  p = p * r + R_(1.6666665459e-1);
  p = p * r + R_(5.0000001201e-1);
  p = p * (r * r) + r + 1;
  const rf_exp_bits scale = {.integer = (int32_t)(((uint32_t)power.integer << 23) + 0x3f800000u)};
  return x < underflow ? 0 : p * scale.value;
}

#endif
#endif
