/* Products with a packed weight, in the precision that the weight was packed in: reals (kernel/gemm.h) or bfloat16
 * (kernel/gemm_bf16.h). */
#ifndef RF_KERNEL_GEMM_PACKED_H
#define RF_KERNEL_GEMM_PACKED_H

#include "kernel/gemm.h"
#include "reformer/kinds.h"

typedef struct rf_packed {
  rf_precision precision;
  void *data; /* rf_packed_bytes, aligned to 64; whose it is, the caller knows */
} rf_packed;

/* What hinders products of that precision in this program on this processor, as half a sentence; NULL: nothing. */
const char *rf_precision_obstacle(rf_precision precision);

size_t rf_packed_bytes(rf_precision precision, int64_t k, int64_t n);

/* Packs factor * b, panel by panel, each into its own place. transposed: b is stored as [n, k]. */
void rf_pack_panel(int64_t k, int64_t n, real factor, rf_view b, bool transposed, int64_t panel,
                   const rf_packed *packed);

/* c[m, n] = a[m, k] b[k, n], or += where `add`, with b packed. In bfloat16 a is rounded too; sums, c and what it held
 * before are float. */
void rf_gemm_packed(int64_t m, int64_t n, int64_t k, rf_view a, const rf_packed *packed, bool add, rf_matrix c);

#endif
