/* Token and position embeddings: the first block. Both streams of the model start as their sum. */
#ifndef RF_NN_EMBEDDING_H
#define RF_NN_EMBEDDING_H

#include "nn/sublayer.h"

/* Tensors: token.weight [vocab, d]; then axial: position.axis<i> [shape[i], dims[i]]; learned: position.weight
 * [shape[0], d]; else none. */
rf_status rf_embedding_describe(const rf_config *config, rf_block *block);

/* x[sequences, tokens, d] = dropout(token embedding + position). ids: [sequences, tokens], in range. */
void rf_embedding_apply(const rf_config *config, const rf_call *call, const real *params, const int32_t *ids, real *x);

/* dparams += ..; dx is the gradient of x and is overwritten (by its dropout). */
void rf_embedding_vjp(const rf_config *config, const rf_call *call, const int32_t *ids, real *dx, real *dparams);

#endif
