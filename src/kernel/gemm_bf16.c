#include "kernel/gemm_bf16.h"
#include "kernel/bf16.h"
#include "kernel/gemm.h"
#include <assert.h>
#include <string.h>
#ifdef RF_XSMM
#include <libxsmm.h>
#endif

static int64_t even(int64_t k) { return k + k % 2; }

size_t rf_gemm_bf16_packed_bytes(int64_t k, int64_t n) {
  return (size_t)(rf_gemm_panels(n) * RF_GEMM_PANEL * even(k)) * sizeof(uint16_t);
}

void rf_gemm_bf16_pack_panel(int64_t k, int64_t n, real factor, rf_view b, bool transposed, int64_t panel,
                             uint16_t *packed) {
  enum { DEPTH = 64 };
  real rows[DEPTH * RF_GEMM_PANEL] __attribute__((aligned(64)));
  const int64_t first = panel * RF_GEMM_PANEL, columns = n - first < RF_GEMM_PANEL ? n - first : RF_GEMM_PANEL;
  uint16_t *restrict to = packed + first * even(k);
  for (int64_t l = 0; l < k; l += DEPTH) {
    const int64_t depth = k - l < DEPTH ? k - l : DEPTH;
    const rf_view part = {b.data + (transposed ? first * b.ld + l : l * b.ld + first), b.ld};
    rf_gemm_real_pack_panel(depth, columns, factor, part, transposed, 0, rows);
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
static libxsmm_bsmmfunction bf16_product(int64_t m, int64_t k, int64_t lda, bool add, int64_t ldc) {
  const int flags = LIBXSMM_GEMM_FLAG_VNNI_A, ldb = RF_GEMM_PANEL, ld_a = (int)lda, ld_c = (int)ldc;
  const float one = 1, beta = add ? 1 : 0;
  return libxsmm_bsmmdispatch(RF_GEMM_PANEL, (int)m, (int)k, &ldb, &ld_a, &ld_c, &one, &beta, &flags, NULL);
}

const char *rf_gemm_bf16_obstacle(void) {
  /* For processors without the instruction libxsmm spells it out in others, which is slower than float. */
  if (libxsmm_get_target_archid() < LIBXSMM_X86_AVX512_CPX ||
      !bf16_product(ROWS, RF_GEMM_DEPTH, RF_GEMM_DEPTH, false, 64))
    return "this processor has no dot products of bfloat16 (avx512_bf16)";
  return NULL;
}

/* One panel of c, of rows <= ROWS and an even depth <= RF_GEMM_DEPTH. */
static void multiply_bf16_panel(int64_t rows, int64_t columns, int64_t depth, const uint16_t *a, const uint16_t *b,
                                bool add, rf_matrix c) {
  const bool full = columns == RF_GEMM_PANEL;
  real whole[ROWS * RF_GEMM_PANEL] __attribute__((aligned(64)));
  if (!full && add)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < RF_GEMM_PANEL; j++) whole[i * RF_GEMM_PANEL + j] = j < columns ? c.data[i * c.ld + j] : 0;
  const libxsmm_bsmmfunction call = bf16_product(rows, depth, depth, add, full ? c.ld : RF_GEMM_PANEL);
  assert(call); /* rf_gemm_bf16_obstacle */
  call(b, a, full ? c.data : whole);
  if (full) return;
  for (int64_t i = 0; i < rows; i++)
    memcpy(c.data + i * c.ld, whole + i * RF_GEMM_PANEL, (size_t)columns * sizeof(real));
}

void rf_gemm_bf16_packed(int64_t m, int64_t n, int64_t k, rf_view a, const uint16_t *packed, bool add, rf_matrix c) {
  uint16_t rounded[ROWS * RF_GEMM_DEPTH] __attribute__((aligned(64)));
  if (k == 0 && !add)
    for (int64_t i = 0; i < m; i++) memset(c.data + i * c.ld, 0, (size_t)n * sizeof(real));
  for (int64_t l = 0; l < k; l += RF_GEMM_DEPTH)
    for (int64_t i = 0; i < m; i += ROWS) {
      const int64_t rows = m - i < ROWS ? m - i : ROWS, depth = k - l < RF_GEMM_DEPTH ? k - l : RF_GEMM_DEPTH;
      for (int64_t r = 0; r < rows; r++) {
        rf_bf16_pack(depth, a.data + (i + r) * a.ld + l, rounded + r * even(depth));
        if (depth % 2) rounded[r * even(depth) + depth] = 0;
      }
      for (int64_t j = 0; j < n; j += RF_GEMM_PANEL)
        multiply_bf16_panel(rows, n - j < RF_GEMM_PANEL ? n - j : RF_GEMM_PANEL, even(depth), rounded,
                            packed + j * even(k) + l * RF_GEMM_PANEL, add || l > 0,
                            (rf_matrix){c.data + i * c.ld + j, c.ld});
    }
}

#else

const char *rf_gemm_bf16_obstacle(void) {
#ifdef RF_DOUBLE
  return "this program computes in double";
#else
  return "this program was built without libxsmm, which makes such products";
#endif
}

void rf_gemm_bf16_packed(int64_t m, int64_t n, int64_t k, rf_view a, const uint16_t *packed, bool add, rf_matrix c) {
  (void)m, (void)n, (void)k, (void)a, (void)packed, (void)add, (void)c;
  assert(rf_gemm_bf16_obstacle() == NULL); /* who multiplies has asked */
}

#endif
