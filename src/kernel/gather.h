/* Rows of a strided matrix brought together, as they are or transposed, each multiplied by a factor. */
#ifndef RF_KERNEL_GATHER_H
#define RF_KERNEL_GATHER_H

#include "reformer/real.h"
#include <stdint.h>

typedef struct rf_rows {
  const real *rows; /* [.., d], row stride ld */
  int64_t d, ld;
  const real *row_scale; /* factor of each row; NULL: scale for all */
  real scale;
} rf_rows;

/* out[n, d] = rows[index[i]] * factor. */
void rf_rows_gather(const rf_rows *from, int64_t n, const int32_t *index, real *out);

/* out[d, ld_out], column i = rows[index[i]] * factor. */
void rf_rows_gather_transposed(const rf_rows *from, int64_t n, const int32_t *index, real *out, int64_t ld_out);

/* to[index[i]] += from[n, d]; `to` has row stride ld; an index appears once. */
void rf_rows_scatter_add(int64_t n, int64_t d, const int32_t *index, const real *from, real *to, int64_t ld);

#endif
