/* A sublayer's tensors as one table, which gives both their description and where each lies in the flat vector. */
#ifndef RF_NN_TENSORS_H
#define RF_NN_TENSORS_H

#include "base/integers.h"
#include "reformer/error.h"
#include "reformer/layout.h"
#include "reformer/real.h"
#include <stddef.h>

/* Each tensor is padded to this many reals, 64 bytes in float, so that rows stay aligned. */
enum { RF_TENSOR_ALIGN = 16 };
static inline int64_t rf_aligned(int64_t n) { return rf_ceil_div(n, RF_TENSOR_ALIGN) * RF_TENSOR_ALIGN; }

typedef struct rf_tensor_entry {
  const char *name; /* what follows the prefix and a point: "norm.scale" */
  rf_init init;
  int n_dims; /* 0: absent, and without a place */
  int64_t shape[RF_MAX_DIMS];
} rf_tensor_entry;

/* Appends the tensors of table[n] to a block, in their order. prefix: e.g. "layers.3.attention". */
rf_status rf_tensors_describe(int n, const rf_tensor_entry *table, const char *prefix, rf_block *block);

/* offset[n]: where each starts, in reals from the first one. */
void rf_tensors_place(int n, const rf_tensor_entry *table, int64_t *offset);

/* The tensor at an offset of a flat vector; NULL where there is no vector, as when memory is only counted. */
static inline const real *rf_tensor_at(const real *params, int64_t offset) { return params ? params + offset : NULL; }

#endif
