/* Dropout whose mask is a pure function of the draw and the element's index, so that the backward pass replays it. */
#ifndef RF_KERNEL_DROPOUT_H
#define RF_KERNEL_DROPOUT_H

#include "reformer/real.h"
#include "reformer/rng.h"
#include <stdint.h>

/* x[rows, d] (row stride ld) *= mask / (1 - rate); row i is token first_token + i; element (token, column) takes word
 * (token d + column) mod 4 of position (token d + column) / 4. rate 0: untouched. */
void rf_dropout(const rf_draw *draw, double rate, int64_t first_token, int64_t rows, int64_t d, real *x, int64_t ld);

/* factor[n]: mask / (1 - rate) of the attention probabilities of one query over n keys, drawn at (query, key). */
void rf_dropout_factors(const rf_draw *draw, double rate, int32_t query, const int32_t *key, int64_t n, real *factor);

/* The smallest random word that keeps its element. */
static inline uint32_t rf_dropout_threshold(double rate) { return (uint32_t)(rate * 4294967296.0); }

#endif
