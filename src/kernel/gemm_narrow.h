/* Matrix products whose two sides are rounded to bfloat16 and whose sums are float: rf_gemm_packed in the precision
 * RF_PRECISION_BF16, made by libxsmm with the processor's dot products of pairs (vdpbf16ps). One thread of a Zen 4
 * makes 220 GFLOP/s of them, and 116 in float.
 *
 * Only what is called with a packed weight is narrow. Rounding a side costs a relative error of 2^-9 in each of its
 * numbers, which weights' gradients, sums over all tokens, would carry into the weights; they stay float. */
#ifndef RF_KERNEL_GEMM_NARROW_H
#define RF_KERNEL_GEMM_NARROW_H

#include "reformer/real.h"
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As rf_precision_obstacle. Where there is one, nothing may be multiplied. */
const char *rf_narrow_obstacle(void);

/* Bytes of a packed b[k, n]: panels as in gemm.h, in each the rows in pairs, an odd last one with a row of zeros:
 *
 *     [(k + 1) / 2][RF_GEMM_PANEL][2]
 */
size_t rf_narrow_packed_bytes(int64_t k, int64_t n);
void rf_narrow_pack_panel(int64_t k, int64_t n, real factor, const real *b, int64_t ldb, bool transposed, int64_t panel,
                          uint16_t *packed);

/* c[m, n] = a[m, k] b[k, n], or += where `add`; a is rounded here. The bits of a row do not depend on m. Only in builds
 * with libxsmm. */
void rf_narrow_gemm(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const uint16_t *packed, bool add,
                    real *c, int64_t ldc);

#endif
