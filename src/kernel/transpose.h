/* Square blocks transposed in registers: for whoever brings rows together as columns. */
#ifndef RF_KERNEL_TRANSPOSE_H
#define RF_KERNEL_TRANSPOSE_H

#include "reformer/real.h"
#include <stdint.h>

#if defined(__AVX512F__)
enum { RF_VECTOR_BYTES = 64 };
#elif defined(__AVX__)
enum { RF_VECTOR_BYTES = 32 };
#else
enum { RF_VECTOR_BYTES = 16 };
#endif

/* Rows, and columns, of a block. */
enum { RF_LANES = (int)(RF_VECTOR_BYTES / sizeof(real)) };

typedef real rf_vector __attribute__((vector_size(RF_VECTOR_BYTES)));
typedef real rf_vector_anywhere __attribute__((vector_size(RF_VECTOR_BYTES), aligned(sizeof(real)), may_alias));
#ifdef RF_DOUBLE
typedef int64_t rf_lane_numbers __attribute__((vector_size(RF_VECTOR_BYTES)));
#else
typedef int32_t rf_lane_numbers __attribute__((vector_size(RF_VECTOR_BYTES)));
#endif

/* Lane l of the result is lane number[l] of both together, low before high. */
static inline __attribute__((always_inline)) rf_vector rf_pick_lanes(rf_vector low, rf_vector high,
                                                                     rf_lane_numbers number) {
#ifdef __clang__ /* which shuffles by constants only, and finds them once loops are unrolled */
  rf_vector picked = low;
  for (int i = 0; i < RF_LANES; i++) picked[i] = number[i] < RF_LANES ? low[number[i]] : high[number[i] - RF_LANES];
  return picked;
#else
  return __builtin_shuffle(low, high, number);
#endif
}

/* out[j * ld_out + i] = from[i][j] * factor[i] for i, j < RF_LANES. Quarters change places, then quarters of quarters:
 *
 *     a b        a c
 *     c d   ->   b d      (Eklundh 1972)                                                                            */
static inline __attribute__((always_inline)) void rf_transpose_block(const real *const *from, int64_t j,
                                                                     const real *factor, real *out, int64_t ld_out) {
  rf_vector row[RF_LANES];
  rf_lane_numbers lane;
#pragma GCC unroll 16
  for (int i = 0; i < RF_LANES; i++) {
    row[i] = *(const rf_vector_anywhere *)(from[i] + j) * factor[i];
    lane[i] = i;
  }
#pragma GCC unroll 4
  for (int half = RF_LANES / 2; half > 0; half /= 2) {
    const rf_lane_numbers upper = (lane & half) != 0; /* all ones in the lanes of the upper halves */
    const rf_lane_numbers first = lane + (upper & (RF_LANES - half)),
                          second = lane + (half & ~upper) + (upper & RF_LANES);
#pragma GCC unroll 16
    for (int i = 0; i < RF_LANES; i++) {
      if (i & half) continue;
      const rf_vector low = row[i], high = row[i + half];
      row[i] = rf_pick_lanes(low, high, first);
      row[i + half] = rf_pick_lanes(low, high, second);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < RF_LANES; i++) *(rf_vector_anywhere *)(out + i * ld_out) = row[i];
}

#endif
