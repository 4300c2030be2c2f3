/* Matrix products on one thread, row-major. Whoever wants two cores calls from two threads on independent tiles.
 *
 * In float they are libxsmm's where it was found and makes code for the processor (from SSE 4.2 on), at run time, for a
 * shape at its first use. There a row of the result has the same bits however many rows are multiplied at once.
 * Elsewhere they are OpenBLAS's, which promises that for whole tiles only (RF_TILE). rf_gemm_library tells which. */
#ifndef RF_KERNEL_GEMM_H
#define RF_KERNEL_GEMM_H

#include "base/integers.h"
#include "kernel/matrix.h"
#include <stdbool.h>
#include <stddef.h>

/* c[m, n] = a[m, k] b[k, n], or += where `add`. */
void rf_gemm_nn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c);

/* a: [k, m] */
void rf_gemm_tn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c);

/* A matrix b[k, n] that many products share is packed once, in panels of so many columns, the last filled up with
 * zeros:
 *
 *     |  panel 0  |  panel 1  | .. |   ->   panel 0 [k, RF_GEMM_PANEL], panel 1 [k, RF_GEMM_PANEL], ..
 *
 * Here as reals; kernel/gemm_packed.h chooses the precision. */
enum { RF_GEMM_PANEL = 64 };

/* A sum over k is made in pieces of so many: what is read of b meanwhile stays in the second-level cache, and a product
 * that is made in several calls of whole pieces, each adding to the last, has the same bits. */
enum { RF_GEMM_DEPTH = 512 };

/* Reals that a product has on its thread's stack at most: two panels, and copies of parts of both sides. */
enum { RF_GEMM_STACK = 64 * 1024 };

/* Panels of a matrix of n columns. */
static inline int64_t rf_gemm_panels(int64_t n) { return rf_ceil_div(n, RF_GEMM_PANEL); }

size_t rf_gemm_real_packed_bytes(int64_t k, int64_t n);

/* Packs factor * b, panel by panel, each into its own place. transposed: b is stored as [n, k]. */
void rf_gemm_real_pack_panel(int64_t k, int64_t n, real factor, rf_view b, bool transposed, int64_t panel,
                             real *packed);

/* As rf_gemm_nn, with b packed. */
void rf_gemm_real_packed(int64_t m, int64_t n, int64_t k, rf_view a, const real *packed, bool add, rf_matrix c);

/* What multiplies in float or double on this processor: "libxsmm" or "OpenBLAS". */
const char *rf_gemm_library(void);

/* Of which processors it chose the code, in its own words: "cpx", "SkylakeX". */
const char *rf_gemm_target(void);

#endif
