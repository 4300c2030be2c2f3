/* Matrix products whose two sides are rounded to bfloat16 and whose sums are float, made by libxsmm with the
 * processor's dot products of pairs (vdpbf16ps). One thread of a Zen 4 makes 220 GFLOP/s of them, and 116 in float.
 *
 * Only what is called with a packed weight is in bfloat16. Rounding a side costs a relative error of 2^-9 in each of
 * its numbers, which weights' gradients, sums over all tokens, would carry into the weights; they stay float. */
#ifndef RF_KERNEL_GEMM_BF16_H
#define RF_KERNEL_GEMM_BF16_H

#include "kernel/matrix.h"
#include <stdbool.h>
#include <stddef.h>

/* What hinders such products in this program on this processor, as half a sentence; NULL: nothing. Where something
 * does, nothing may be multiplied. */
const char *rf_gemm_bf16_obstacle(void);

/* Bytes of a packed b[k, n]: panels as in kernel/gemm.h, in each the rows in pairs, an odd last one with a row of
 * zeros:
 *
 *     [(k + 1) / 2][RF_GEMM_PANEL][2]
 */
size_t rf_gemm_bf16_packed_bytes(int64_t k, int64_t n);
void rf_gemm_bf16_pack_panel(int64_t k, int64_t n, real factor, rf_view b, bool transposed, int64_t panel,
                             uint16_t *packed);

/* c[m, n] = a[m, k] b[k, n], or += where `add`; a is rounded here. The bits of a row do not depend on m. */
void rf_gemm_bf16_packed(int64_t m, int64_t n, int64_t k, rf_view a, const uint16_t *packed, bool add, rf_matrix c);

#endif
