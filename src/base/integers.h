/* Small helpers for integers. */
#ifndef RF_BASE_INTEGERS_H
#define RF_BASE_INTEGERS_H

#include <stdint.h>

static inline int64_t rf_min(int64_t a, int64_t b) { return a < b ? a : b; }
static inline int64_t rf_max(int64_t a, int64_t b) { return a > b ? a : b; }
static inline int64_t rf_ceil_div(int64_t a, int64_t b) { return (a + b - 1) / b; }

#endif
