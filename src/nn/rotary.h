/* Rotary positions (Su et al. 2021, eq. 34): coordinates (2i, 2i + 1) of a query or key at position t are turned by the
 * angle t 10000^(-2i / d_head). Turning back is the transpose, so the same call serves the reverse. */
#ifndef RF_NN_ROTARY_H
#define RF_NN_ROTARY_H

#include "kernel/matrix.h"

/* x[rows, heads, d_head], row i at position first + i; d_head is even. direction 1 turns, -1 turns
 * back. */
void rf_rotary(int64_t rows, int64_t heads, int64_t d_head, int64_t first, int direction, rf_matrix x);

#endif
