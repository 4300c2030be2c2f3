/* A linear layer over many rows: its weight, packed once a call for the products of all tiles, and the gradients of
 * weight and bias, by tiles of the result: each element is summed over the rows in order by one thread, so that the
 * bits do not depend on the number of threads and no partial copies exist. */
#ifndef RF_NN_LINEAR_H
#define RF_NN_LINEAR_H

#include "base/integers.h"
#include "kernel/gemm_packed.h"
#include "kernel/parallel.h"
#include "reformer/arena.h"

/* Sums over rows are made in pieces of so many, so that their bits do not depend on how rows come in super-blocks. */
enum { RF_ROWS_OF_SUM = RF_GEMM_DEPTH };

/* Rows of a super-block: activations of so many tokens are held for the weight gradients. A few MiB that stay in cache,
 * and a tile for each thread at least. */
static inline int64_t rf_superblock(void) {
  const int64_t least = 1024, tiles = (int64_t)rf_threads() * RF_TILE;
  return rf_max(least, rf_ceil_div(tiles, RF_ROWS_OF_SUM) * RF_ROWS_OF_SUM);
}

/* The stride of rows of n reals that gradients of weights read many of: off powers of two, whose rows would push each
 * other out of the caches. */
static inline int64_t rf_row_stride(int64_t n) {
  enum { LINE = 64 / (int)sizeof(real) };
  const int64_t lines = rf_ceil_div(n, LINE);
  return (lines % 2 == 0 ? lines + 1 : lines) * LINE;
}

/* A weight w[out, in] packed for rf_gemm_packed, in the precision its products shall have: _forward for
 * x[.., in] (factor w)^T, _backward for dy[.., out] w. Taken from the arena; by all threads. Where the arena only
 * counts, w is not read and may be NULL. */
rf_status rf_weight_pack_forward(rf_arena *arena, rf_precision precision, int64_t out, int64_t in, real factor,
                                 rf_view w, rf_packed *packed);
rf_status rf_weight_pack_backward(rf_arena *arena, rf_precision precision, int64_t out, int64_t in, rf_view w,
                                  rf_packed *packed);

/* dw[out, in] += dy[rows, out]^T x[rows, in]. Runs its own parallel region. */
void rf_weight_gradient(int64_t rows, int64_t out, int64_t in, rf_view dy, rf_view x, rf_matrix dw);

/* db[n] += sum over rows of dy[rows, n], in row order. */
void rf_bias_gradient(int64_t rows, int64_t n, rf_view dy, real *db);

/* total[n] += parts[0, n] + parts[1, n] + ..: partial sums of tiles, in tile order. */
void rf_sum_tiles(int64_t tiles, int64_t n, const real *parts, int64_t ld, real *total);

#endif
