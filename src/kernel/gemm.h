/* Matrix products on one thread, row-major. Whoever wants two cores calls from two threads on independent tiles.
 *
 * In float they are libxsmm's where it was found and makes code for the processor (from SSE 4.2 on), at run time, for a
 * shape at its first use. There a row of the result has the same bits however many rows are multiplied at once.
 * Elsewhere they are OpenBLAS's, which promises that for whole tiles only (RF_TILE). rf_gemm_library tells which. */
#ifndef RF_KERNEL_GEMM_H
#define RF_KERNEL_GEMM_H

#include "reformer/config.h"
#include "reformer/real.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* c[m, n] = a[m, k] b[k, n], or += where `add`. ld: reals from one stored row to the next. */
void rf_gemm_nn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc);

/* a: [k, m] */
void rf_gemm_tn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc);

/* A matrix b[k, n] that many products share is packed once, in panels of so many columns, the last filled up with
 * zeros:
 *
 *     |  panel 0  |  panel 1  | .. |   ->   panel 0 [k, RF_GEMM_PANEL], panel 1 [k, RF_GEMM_PANEL], ..
 *
 * It is packed as reals, or in bfloat16 in the order of kernel/gemm_narrow.h; the products take it as they find it. */
enum { RF_GEMM_PANEL = 64 };

/* A sum over k is made in pieces of so many: what is read of b meanwhile stays in the second-level cache, and a product
 * that is made in several calls of whole pieces, each adding to the last, has the same bits. */
enum { RF_GEMM_DEPTH = 512 };

/* Reals that a product has on its thread's stack at most: two panels, and copies of parts of both sides. */
enum { RF_GEMM_STACK = 64 * 1024 };

typedef struct rf_packed {
  rf_precision precision;
  void *data; /* rf_packed_bytes, aligned to 64; whose it is, the caller knows */
} rf_packed;

/* What hinders products of that precision in this program on this processor, as half a sentence; NULL: nothing. */
const char *rf_precision_obstacle(rf_precision precision);

size_t rf_packed_bytes(rf_precision precision, int64_t k, int64_t n);

/* Packs factor * b, panel by panel, each into its own place. transposed: b is stored as [n, k]. */
void rf_pack_panel(int64_t k, int64_t n, real factor, const real *b, int64_t ldb, bool transposed, int64_t panel,
                   const rf_packed *packed);

/* As rf_gemm_nn, with b packed. In bfloat16 a is rounded too; sums, c and what it held before are float. */
void rf_gemm_packed(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const rf_packed *packed, bool add,
                    real *c, int64_t ldc);

/* What multiplies in float or double on this processor: "libxsmm" or "OpenBLAS". */
const char *rf_gemm_library(void);

/* Of which processors it chose the code, in its own words: "cpx", "SkylakeX". */
const char *rf_gemm_target(void);

#endif
