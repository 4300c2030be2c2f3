/* Exponentials of a row of logits. */
#ifndef RF_KERNEL_EXPONENTIAL_H
#define RF_KERNEL_EXPONENTIAL_H

#include "reformer/real.h"
#include <stdint.h>

/* x[n] = exp(x - largest) for x <= largest, exactly 0 where that would underflow; returns the sum. */
real rf_exp_row(int64_t n, real largest, real *x);

#endif
