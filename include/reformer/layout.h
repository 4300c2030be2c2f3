/* Where a model's tensors lie. The model is a row of blocks (embedding, layers, head). A block's tensors lie one after
 * another in one flat vector, each at a multiple of 16 numbers, the vector padded to a multiple of 16:
 *
 *   block b   | norm.scale | norm.bias | query_key.weight ...........| value.weight ... | pad |
 *             0            offset[1]    offset[2]                                        size */
#ifndef REFORMER_LAYOUT_H
#define REFORMER_LAYOUT_H

#include "reformer/linkage.h"
#include <stdint.h>

RF_API_BEGIN

enum { RF_MAX_NAME = 96, RF_MAX_DIMS = 3 };

typedef enum rf_init { RF_INIT_ZERO, RF_INIT_ONE, RF_INIT_NORMAL } rf_init;

typedef struct rf_tensor {
  char name[RF_MAX_NAME]; /* e.g. "layers.3.attention.query_key.weight" */
  int n_dims;
  int64_t shape[RF_MAX_DIMS]; /* row-major; a linear layer's weight is [out, in] */
  int64_t offset;             /* reals from the start of the block */
  rf_init init;
} rf_tensor;

typedef struct rf_block {
  char name[RF_MAX_NAME]; /* "embedding", "layers.3", "head" */
  int n_tensors;
  rf_tensor *tensors; /* owned by the layout */
  int64_t size;       /* reals, padded */
} rf_block;

typedef struct rf_layout {
  int n_blocks;
  rf_block *blocks;
} rf_layout;

int64_t rf_tensor_count(const rf_tensor *tensor); /* elements */

RF_API_END

#endif
