#include "kernel/gather.h"

enum { VECTOR = 16 };

static real factor_of(const rf_rows *from, int32_t row) { return from->row_scale ? from->row_scale[row] : from->scale; }

void rf_gather(const rf_rows *from, int64_t n, const int32_t *index, real *restrict out) {
  for (int64_t i = 0; i < n; i++) {
    const real *restrict source = from->rows + index[i] * from->ld;
    const real factor = factor_of(from, index[i]);
#pragma omp simd
    for (int64_t j = 0; j < from->d; j++) out[i * from->d + j] = source[j] * factor;
  }
}

/* Sixteen rows at a time, so that writes fill whole vectors. */
void rf_gather_transposed(const rf_rows *from, int64_t n, const int32_t *index, real *restrict out, int64_t ld_out) {
  for (int64_t i0 = 0; i0 < n; i0 += VECTOR) {
    const int width = n - i0 < VECTOR ? (int)(n - i0) : VECTOR;
    const real *source[VECTOR];
    real factor[VECTOR];
    for (int i = 0; i < VECTOR; i++) {
      const int32_t row = index[i0 + (i < width ? i : 0)];
      source[i] = from->rows + row * from->ld;
      factor[i] = factor_of(from, row);
    }
    real *restrict to = out + i0;
    if (width == VECTOR) {
      for (int64_t j = 0; j < from->d; j++)
        for (int i = 0; i < VECTOR; i++) to[j * ld_out + i] = source[i][j] * factor[i];
    } else {
      for (int64_t j = 0; j < from->d; j++)
        for (int i = 0; i < width; i++) to[j * ld_out + i] = source[i][j] * factor[i];
    }
  }
}

void rf_scatter_add(int64_t n, int64_t d, const int32_t *index, const real *from, real *to, int64_t ld) {
  for (int64_t i = 0; i < n; i++) {
    const real *restrict source = from + i * d;
    real *restrict sum = to + index[i] * ld;
#pragma omp simd
    for (int64_t j = 0; j < d; j++) sum[j] += source[j];
  }
}
