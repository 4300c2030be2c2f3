/* The middle of measurements. */
#ifndef RF_BASE_MEDIAN_H
#define RF_BASE_MEDIAN_H

#include <stdint.h>

/* Sorts values [n], smallest first, n > 0. Of two in the middle, their mean. */
double rf_median(int64_t n, double *values);

#endif
