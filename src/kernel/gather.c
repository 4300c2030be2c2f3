#include "kernel/gather.h"
#include "kernel/transpose.h"

/* Rows stand anywhere in memory: they are asked for some rows ahead of their use. */
enum { AHEAD = 8, LINE = (int)(64 / sizeof(real)) };

static real factor_of(const rf_rows *from, int32_t row) { return from->row_scale ? from->row_scale[row] : from->scale; }

static inline void ask_for(const real *row, int64_t d) {
  for (int64_t j = 0; j < d; j += LINE) __builtin_prefetch(row + j);
}

void rf_rows_gather(const rf_rows *from, int64_t n, const int32_t *index, real *restrict out) {
  for (int64_t i = 0; i < n; i++) {
    const real *restrict source = from->rows + index[i] * from->ld;
    const real factor = factor_of(from, index[i]);
    if (i + AHEAD < n) ask_for(from->rows + index[i + AHEAD] * from->ld, from->d);
#pragma omp simd
    for (int64_t j = 0; j < from->d; j++) out[i * from->d + j] = source[j] * factor;
  }
}

/* RF_LANES rows at a time, so that writes fill whole vectors. */
void rf_rows_gather_transposed(const rf_rows *from, int64_t n, const int32_t *index, real *restrict out,
                               int64_t ld_out) {
  for (int64_t i0 = 0; i0 < n; i0 += RF_LANES) {
    const int width = n - i0 < RF_LANES ? (int)(n - i0) : RF_LANES;
    const real *source[RF_LANES];
    real factor[RF_LANES];
    for (int i = 0; i < RF_LANES; i++) {
      const int32_t row = index[i0 + (i < width ? i : 0)];
      source[i] = from->rows + row * from->ld;
      factor[i] = factor_of(from, row);
      if (i0 + RF_LANES + i < n) ask_for(from->rows + index[i0 + RF_LANES + i] * from->ld, from->d);
    }
    int64_t j = 0;
    if (width == RF_LANES)
      for (; j + RF_LANES <= from->d; j += RF_LANES)
        rf_transpose_block(source, j, factor, out + j * ld_out + i0, ld_out);
    for (; j < from->d; j++)
      for (int i = 0; i < width; i++) out[j * ld_out + i0 + i] = source[i][j] * factor[i];
  }
}

void rf_rows_scatter_add(int64_t n, int64_t d, const int32_t *index, const real *from, real *to, int64_t ld) {
  for (int64_t i = 0; i < n; i++) {
    const real *restrict source = from + i * d;
    real *restrict sum = to + index[i] * ld;
    if (i + AHEAD < n) ask_for(to + index[i + AHEAD] * ld, d);
#pragma omp simd
    for (int64_t j = 0; j < d; j++) sum[j] += source[j];
  }
}
