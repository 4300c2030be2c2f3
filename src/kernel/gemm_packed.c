#include "kernel/gemm_packed.h"
#include "kernel/gemm_bf16.h"

const char *rf_precision_obstacle(rf_precision precision) {
  return precision == RF_PRECISION_BF16 ? rf_gemm_bf16_obstacle() : NULL;
}

size_t rf_packed_bytes(rf_precision precision, int64_t k, int64_t n) {
  return precision == RF_PRECISION_BF16 ? rf_gemm_bf16_packed_bytes(k, n) : rf_gemm_real_packed_bytes(k, n);
}

void rf_pack_panel(int64_t k, int64_t n, real factor, rf_view b, bool transposed, int64_t panel,
                   const rf_packed *packed) {
  if (packed->precision == RF_PRECISION_BF16)
    rf_gemm_bf16_pack_panel(k, n, factor, b, transposed, panel, packed->data);
  else
    rf_gemm_real_pack_panel(k, n, factor, b, transposed, panel, packed->data);
}

void rf_gemm_packed(int64_t m, int64_t n, int64_t k, rf_view a, const rf_packed *packed, bool add, rf_matrix c) {
  if (packed->precision == RF_PRECISION_BF16)
    rf_gemm_bf16_packed(m, n, k, a, packed->data, add, c);
  else
    rf_gemm_real_packed(m, n, k, a, packed->data, add, c);
}
