/* Position embeddings that are added to the token's: axial, learned or sinusoidal (rotary lives in nn/rotary.h).
 *
 * Axial (paper's appendix; HuggingFace): position t has coordinates (i0, i1, ..) in a grid of `shape`, row-major, and
 * its embedding is the concatenation of one row from each axis' table. A grid larger than the sequence is fine. */
#ifndef RF_NN_POSITIONS_H
#define RF_NN_POSITIONS_H

#include "nn/sublayer.h"

/* The position's tensors, of the embedding block: table [RF_MAX_AXES] out. Returns how many there are. */
int rf_positions_tensors(const rf_config *config, rf_tensor_entry *table);

/* x[d] += columns [first, end) of the position's embedding. at: where each tensor starts in params, the embedding
 * block.
 */
void rf_position_add(const rf_config *config, const real *params, const int64_t *at, int64_t position, int64_t first,
                     int64_t end, real *x);

/* dparams += columns [first, end) of dx[d], the gradient of the embedding at the position. */
void rf_position_add_vjp(const rf_config *config, const int64_t *at, int64_t position, int64_t first, int64_t end,
                         const real *dx, real *dparams);

#endif
