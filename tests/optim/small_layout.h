/* A hand-made layout: matrices, vectors, padding between, and one tensor large enough to wake threads. */
#ifndef TESTS_OPTIM_SMALL_LAYOUT_H
#define TESTS_OPTIM_SMALL_LAYOUT_H

#include "reformer/rng.h"
#include "reformer/store.h"

#include <math.h>

static rf_tensor small_tensors[] = {
    {.name = "a", .n_dims = 2, .shape = {5, 7}, .offset = 0, .init = RF_INIT_NORMAL},
    {.name = "b", .n_dims = 1, .shape = {6}, .offset = 48, .init = RF_INIT_ONE},
    {.name = "c", .n_dims = 3, .shape = {2, 3, 4}, .offset = 0, .init = RF_INIT_NORMAL},
    {.name = "d", .n_dims = 2, .shape = {1, 9}, .offset = 32, .init = RF_INIT_ZERO},
    {.name = "e", .n_dims = 2, .shape = {301, 203}, .offset = 48, .init = RF_INIT_NORMAL},
    {.name = "f", .n_dims = 1, .shape = {40001}, .offset = 61152, .init = RF_INIT_NORMAL},
};
enum { SMALL_TENSORS = 6 };

static rf_block small_blocks[] = {
    {.name = "first", .n_tensors = 2, .tensors = small_tensors, .size = 64},
    {.name = "second", .n_tensors = 4, .tensors = small_tensors + 2, .size = 61152 + 40016},
};

static const rf_layout small_layout = {.n_blocks = 2, .blocks = small_blocks};

/* A gradient for every element of a block at a step, zero in the padding between tensors. */
static inline void small_gradient(int block, uint32_t step, real *gradient) {
  const rf_block *b = &small_blocks[block];
  for (int64_t i = 0; i < b->size; i++) gradient[i] = 0;
  for (int t = 0; t < b->n_tensors; t++) {
    rf_draw draw = {.seed = 17, .purpose = RF_RNG_TASK, .step = step, .layer = (uint32_t)block, .head = (uint32_t)t};
    const rf_tensor *tensor = &b->tensors[t];
    int64_t n = 1;
    for (int d = 0; d < tensor->n_dims; d++) n *= tensor->shape[d];
    for (int64_t i = 0; i < n; i++) {
      /* rows and columns of different size, some zeros */
      double size = exp(0.5 * (double)(i % 7)) * 1e-3;
      gradient[tensor->offset + i] = i % 11 == 3 ? 0 : R_(size * rf_draw_normal(&draw, (uint64_t)i));
    }
  }
}

#endif
