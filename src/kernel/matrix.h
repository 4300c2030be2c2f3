/* Where a matrix lies in memory: its first number, and the reals from one stored row to the next. */
#ifndef RF_KERNEL_MATRIX_H
#define RF_KERNEL_MATRIX_H

#include "reformer/real.h"
#include <stdint.h>

typedef struct rf_matrix {
  real *data;
  int64_t ld;
} rf_matrix;

/* ... which is only read. */
typedef struct rf_view {
  const real *data;
  int64_t ld;
} rf_view;

/* The same from row `row` on. */
static inline rf_matrix rf_matrix_row(rf_matrix m, int64_t row) { return (rf_matrix){m.data + row * m.ld, m.ld}; }
static inline rf_view rf_view_row(rf_view v, int64_t row) { return (rf_view){v.data + row * v.ld, v.ld}; }

static inline rf_view rf_view_of(rf_matrix m) { return (rf_view){m.data, m.ld}; }

#endif
