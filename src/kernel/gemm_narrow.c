#include "kernel/gemm_narrow.h"
#include "kernel/bf16.h"
#include "kernel/gemm.h"
#include <assert.h>
#include <string.h>
#ifdef RF_XSMM
#include <libxsmm.h>
#endif

static int64_t even(int64_t k) { return k + k % 2; }

size_t rf_narrow_packed_bytes(int64_t k, int64_t n) {
  return (size_t)((n + RF_GEMM_PANEL - 1) / RF_GEMM_PANEL * RF_GEMM_PANEL * even(k)) * sizeof(uint16_t);
}

void rf_narrow_pack_panel(int64_t k, int64_t n, real factor, const real *b, int64_t ldb, bool transposed, int64_t panel,
                          uint16_t *packed) {
  enum { DEPTH = 64 };
  real rows[DEPTH * RF_GEMM_PANEL] __attribute__((aligned(64)));
  const rf_packed part = {RF_PRECISION_FULL, rows};
  const int64_t first = panel * RF_GEMM_PANEL, columns = n - first < RF_GEMM_PANEL ? n - first : RF_GEMM_PANEL;
  uint16_t *restrict to = packed + first * even(k);
  for (int64_t l = 0; l < k; l += DEPTH) {
    const int64_t depth = k - l < DEPTH ? k - l : DEPTH;
    rf_pack_panel(depth, columns, factor, b + (transposed ? first * ldb + l : l * ldb + first), ldb, transposed, 0,
                  &part);
    if (depth % 2) memset(rows + depth * RF_GEMM_PANEL, 0, RF_GEMM_PANEL * sizeof(real));
    for (int64_t i = 0; i < even(depth); i++)
      for (int64_t j = 0; j < RF_GEMM_PANEL; j++)
        to[((l + i) / 2 * RF_GEMM_PANEL + j) * 2 + i % 2] = rf_bf16_of(rows[i * RF_GEMM_PANEL + j]);
  }
}

#ifdef RF_XSMM

enum { ROWS = 128 }; /* that a call takes at most: few shapes, little code */

_Static_assert(sizeof(uint16_t) * ROWS * RF_GEMM_DEPTH + sizeof(real) * ROWS * RF_GEMM_PANEL <=
                   sizeof(real) * RF_GEMM_STACK,
               "more on the stack than is said");

/* libxsmm counts in columns: there our c is c^T = b^T a^T. k is even. */
static libxsmm_bsmmfunction product(int64_t m, int64_t k, int64_t lda, bool add, int64_t ldc) {
  const int flags = LIBXSMM_GEMM_FLAG_VNNI_A, ldb = RF_GEMM_PANEL, ld_a = (int)lda, ld_c = (int)ldc;
  const float one = 1, beta = add ? 1 : 0;
  return libxsmm_bsmmdispatch(RF_GEMM_PANEL, (int)m, (int)k, &ldb, &ld_a, &ld_c, &one, &beta, &flags, NULL);
}

const char *rf_narrow_obstacle(void) {
  /* For processors without the instruction libxsmm spells it out in others, which is slower than float. */
  if (libxsmm_get_target_archid() < LIBXSMM_X86_AVX512_CPX || !product(ROWS, RF_GEMM_DEPTH, RF_GEMM_DEPTH, false, 64))
    return "this processor has no dot products of bfloat16 (avx512_bf16)";
  return NULL;
}

/* One panel of c, of rows <= ROWS and an even depth <= RF_GEMM_DEPTH. */
static void multiply_panel(int64_t rows, int64_t columns, int64_t depth, const uint16_t *a, const uint16_t *b, bool add,
                           real *c, int64_t ldc) {
  const bool full = columns == RF_GEMM_PANEL;
  real whole[ROWS * RF_GEMM_PANEL] __attribute__((aligned(64)));
  if (!full && add)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < RF_GEMM_PANEL; j++) whole[i * RF_GEMM_PANEL + j] = j < columns ? c[i * ldc + j] : 0;
  const libxsmm_bsmmfunction call = product(rows, depth, depth, add, full ? ldc : RF_GEMM_PANEL);
  assert(call); /* rf_narrow_obstacle */
  call(b, a, full ? c : whole);
  if (full) return;
  for (int64_t i = 0; i < rows; i++) memcpy(c + i * ldc, whole + i * RF_GEMM_PANEL, (size_t)columns * sizeof(real));
}

void rf_narrow_gemm(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const uint16_t *packed, bool add,
                    real *c, int64_t ldc) {
  uint16_t rounded[ROWS * RF_GEMM_DEPTH] __attribute__((aligned(64)));
  if (k == 0 && !add)
    for (int64_t i = 0; i < m; i++) memset(c + i * ldc, 0, (size_t)n * sizeof(real));
  for (int64_t l = 0; l < k; l += RF_GEMM_DEPTH)
    for (int64_t i = 0; i < m; i += ROWS) {
      const int64_t rows = m - i < ROWS ? m - i : ROWS, depth = k - l < RF_GEMM_DEPTH ? k - l : RF_GEMM_DEPTH;
      for (int64_t r = 0; r < rows; r++) {
        rf_bf16_pack(depth, a + (i + r) * lda + l, rounded + r * even(depth));
        if (depth % 2) rounded[r * even(depth) + depth] = 0;
      }
      for (int64_t j = 0; j < n; j += RF_GEMM_PANEL)
        multiply_panel(rows, n - j < RF_GEMM_PANEL ? n - j : RF_GEMM_PANEL, even(depth), rounded,
                       packed + j * even(k) + l * RF_GEMM_PANEL, add || l > 0, c + i * ldc + j, ldc);
    }
}

#else

const char *rf_narrow_obstacle(void) {
#ifdef RF_DOUBLE
  return "this program computes in double";
#else
  return "this program was built without libxsmm, which makes such products";
#endif
}

#endif
