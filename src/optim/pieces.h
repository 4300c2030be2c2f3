/* A rank's part of every tensor. Shards cut blocks anywhere, so a tensor may be whole here, in part,
 * or not at all:
 *
 *   block    |... tensor t ...........|... tensor t+1 ....|
 *   shard              [first                first+count)
 *   pieces             [from ........ to)[from ..... to)        (elements of the tensor)
 *
 * Sums run over a fixed number of slices of the whole tensor (rows stay whole), which are then added
 * in order: no result depends on the number of threads. */
#ifndef RF_OPTIM_PIECES_H
#define RF_OPTIM_PIECES_H

#include "reformer/arena.h"
#include "reformer/store.h"
#include <stdbool.h>

enum {
  RF_SLICES = 16,
  RF_SERIAL_BELOW = 1 << 14 /* elements for which waking the threads costs more than it gives */
};

typedef struct rf_range {
  int64_t from, to; /* empty where to <= from */
} rf_range;

/* Slice s of [0, size). */
static inline rf_range rf_slice(int64_t size, int s) {
  return (rf_range){size / RF_SLICES * s + size % RF_SLICES * s / RF_SLICES,
                    size / RF_SLICES * (s + 1) + size % RF_SLICES * (s + 1) / RF_SLICES};
}

static inline rf_range rf_range_cut(rf_range span, int64_t from, int64_t to) {
  if (span.from < from) span.from = from;
  if (span.to > to) span.to = to;
  if (span.to < span.from) span.to = span.from;
  return span;
}

/* Sum of x[i]^2 in double; x: [n]. The order depends on n alone. */
static inline double rf_sum_of_squares(int64_t n, const real *x) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) sum += (double)x[i] * (double)x[i];
  return sum;
}

typedef struct rf_piece {
  int block;
  int64_t rows, columns; /* of the tensor; 1 row where fewer than two dimensions are larger than 1 */
  int64_t from, to;      /* elements of the tensor that are here */
  int64_t at;            /* where `from` lies in the shard's vectors */
} rf_piece;

/* Matrices have factored statistics and decay; vectors (norms, biases) do neither. */
static inline bool rf_piece_is_matrix(const rf_piece *piece) { return piece->rows > 1; }

/* A tensor seen as a matrix: its last dimension that is not 1, and all those before it. */
void rf_matrix_shape(const rf_tensor *tensor, int64_t *rows, int64_t *columns);
/* The part of a tensor of block `block` that lies in a shard. */
rf_piece rf_piece_of(const rf_tensor *tensor, int block, const rf_shard *shard);

/* One piece a tensor, blocks in order, tensors in order; pieces: [*count], in the arena. */
rf_status rf_pieces_create(const rf_store *store, rf_arena *arena, int *count, rf_piece **pieces);

#endif
