/* Number types of tensors in files, and the way between them and `real`. Little endian, as this machine must be. */
#ifndef RF_WEIGHTS_DTYPE_H
#define RF_WEIGHTS_DTYPE_H

#include "reformer/real.h"
#include <stdbool.h>
#include <stdint.h>

typedef enum rf_dtype { RF_F64, RF_F32, RF_F16, RF_BF16, RF_OTHER_DTYPE } rf_dtype;

/* The type of this build's numbers. */
#define RF_REAL_DTYPE (sizeof(real) == 8 ? RF_F64 : RF_F32)

int64_t rf_dtype_bytes(rf_dtype dtype); /* of one number; 0: other */
const char *rf_dtype_name(rf_dtype dtype);

/* n numbers from a file to real. Returns how many were rounded; an overflow becomes infinite. */
int64_t rf_dtype_read(rf_dtype dtype, int64_t n, const void *from, real *to);
/* n numbers from real, rounded to nearest, ties to even. Returns the first that does not fit (it would become
 * infinite), or -1. */
int64_t rf_dtype_write(rf_dtype dtype, int64_t n, const real *from, void *to);

#endif
