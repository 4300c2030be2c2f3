/* Copies of large arrays, as fast as memory goes. */
#ifndef RF_KERNEL_COPY_H
#define RF_KERNEL_COPY_H

#include "reformer/real.h"
#include <stdbool.h>
#include <stdint.h>

/* from: [n], to: [n] or NULL: nothing is copied. All of `from` is finite. */
bool rf_copy_finite(int64_t n, const real *from, real *to);
/* to: [n]. Every thread writes the part that it will write in rf_copy_finite, so that it lies in its memory. */
void rf_fill_zero(int64_t n, real *to);

#endif
