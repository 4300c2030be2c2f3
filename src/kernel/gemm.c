#include "kernel/gemm.h"
#include "kernel/gemm_narrow.h"
#include "kernel/transpose.h"
#include <cblas.h>
#include <string.h>
#ifdef RF_XSMM
#include <libxsmm.h>
#endif

/* Why two libraries: the products of a step are small or thin (128 tokens by 256, 64 queries by 128 keys), and OpenBLAS
 * copies both sides into its own order at every call. libxsmm reads them where they lie. One thread of a Zen 4, at most
 * 117 GFLOP/s in float:
 *
 *                              OpenBLAS   libxsmm
 *    64 x  128 x   64, nn           114       115
 *   128 x   64 x   64, tn           113       114
 *   128 x 1024 x  256, packed        98       116    OpenBLAS: b transposed
 *   128 x  256 x 1024, packed        85       116
 *    64 x  256 x 2048, tn            89       113 */

#ifdef RF_XSMM

const char *rf_gemm_library(void) { return "libxsmm"; }

const char *rf_gemm_target(void) { return libxsmm_get_target_arch(); }

enum {
  ROWS = 128,                /* that a call takes at most: few shapes, little code */
  NARROW = RF_GEMM_PANEL / 2 /* columns below which libxsmm sums in another order when rows are few */
};

/* Sides as they are stored. readable: b may be read up to a whole panel. */
typedef struct sides {
  const real *a, *b;
  int64_t lda, ldb;
  bool a_transposed, readable;
} sides;

/* c[m, n] = a b of a shape that needs no cutting. libxsmm counts in columns: there our c is c^T = b^T a^T. */
static void call(int64_t m, int64_t n, int64_t k, const sides *s, bool add, real *c, int64_t ldc) {
  const int lda = (int)s->ldb, ldb = (int)s->lda, ld = (int)ldc;
  const int flags = s->a_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
  const real one = 1, beta = add ? 1 : 0;
  const libxsmm_smmfunction product =
      libxsmm_smmdispatch((int)n, (int)m, (int)k, &lda, &ldb, &ld, &one, &beta, &flags, NULL);
  if (product)
    product(s->b, s->a, c);
  else /* a processor without vectors that it knows */
    rf_cblas(gemm)(CblasRowMajor, s->a_transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1,
                   s->a, ldb, s->b, lda, beta, c, ld);
}

/* A panel of columns that is not full. */
static void narrow_panel(int64_t m, int64_t columns, int64_t k, sides s, bool add, real *c, int64_t ldc) {
  real b[RF_GEMM_DEPTH * RF_GEMM_PANEL] __attribute__((aligned(64))),
      whole[ROWS * RF_GEMM_PANEL] __attribute__((aligned(64)));
  const int64_t width = columns <= NARROW ? NARROW : RF_GEMM_PANEL;
  if (!s.readable) {
    for (int64_t i = 0; i < k; i++) {
      memcpy(b + i * width, s.b + i * s.ldb, (size_t)columns * sizeof(real));
      memset(b + i * width + columns, 0, (size_t)(width - columns) * sizeof(real));
    }
    s.b = b;
    s.ldb = width;
  }
  call(m, width, k, &s, false, whole, width);
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < columns; j++) c[i * ldc + j] = (add ? c[i * ldc + j] : 0) + whole[i * width + j];
}

/* Cut in panels of columns, blocks of the depth and blocks of rows. panel: reals from one panel of b to the next. */
static void multiply(int64_t m, int64_t n, int64_t k, const sides *s, int64_t panel, bool add, real *c, int64_t ldc) {
  if (k == 0 && !add)
    for (int64_t i = 0; i < m; i++) memset(c + i * ldc, 0, (size_t)n * sizeof(real));
  for (int64_t l = 0; l < k; l += RF_GEMM_DEPTH)
    for (int64_t i = 0; i < m; i += ROWS)
      for (int64_t j = 0; j < n; j += RF_GEMM_PANEL) {
        const int64_t rows = m - i < ROWS ? m - i : ROWS, depth = k - l < RF_GEMM_DEPTH ? k - l : RF_GEMM_DEPTH;
        const int64_t columns = n - j < RF_GEMM_PANEL ? n - j : RF_GEMM_PANEL;
        sides part = *s;
        part.a += s->a_transposed ? l * s->lda + i : i * s->lda + l;
        part.b += j / RF_GEMM_PANEL * panel + l * s->ldb;
        if (columns == RF_GEMM_PANEL || columns == NARROW)
          call(rows, columns, depth, &part, add || l > 0, c + i * ldc + j, ldc);
        else
          narrow_panel(rows, columns, depth, part, add || l > 0, c + i * ldc + j, ldc);
      }
}

void rf_gemm_nn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc) {
  multiply(m, n, k, &(sides){a, b, lda, ldb, false, false}, RF_GEMM_PANEL, add, c, ldc);
}

void rf_gemm_tn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc) {
  multiply(m, n, k, &(sides){a, b, lda, ldb, true, false}, RF_GEMM_PANEL, add, c, ldc);
}

static void multiply_packed(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *packed, bool add,
                            real *c, int64_t ldc) {
  multiply(m, n, k, &(sides){a, packed, lda, RF_GEMM_PANEL, false, true}, k * RF_GEMM_PANEL, add, c, ldc);
}

/* Where element (0, j) of panel j / RF_GEMM_PANEL goes, and the stride of its rows. */
static real *place_of_panel(int64_t k, int64_t n, int64_t panel, real *packed, int64_t *ld) {
  (void)n;
  *ld = RF_GEMM_PANEL;
  return packed + panel * RF_GEMM_PANEL * k;
}

#else

const char *rf_gemm_library(void) { return "OpenBLAS"; }

const char *rf_gemm_target(void) { return openblas_get_corename(); }

void rf_gemm_nn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc) {
  rf_cblas(gemm)(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, add, c,
                 (int)ldc);
}

void rf_gemm_tn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc) {
  if (k == 0) rf_gemm_nn(m, n, 0, a, lda, b, ldb, add, c, ldc);
  for (int64_t l = 0; l < k; l += RF_GEMM_DEPTH)
    rf_cblas(gemm)(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n,
                   (int)(k - l < RF_GEMM_DEPTH ? k - l : RF_GEMM_DEPTH), 1, a + l * lda, (int)lda, b + l * ldb,
                   (int)ldb, add || l > 0, c, (int)ldc);
}

/* OpenBLAS has panels of its own: here one as wide as the padded matrix, so that b is at least not transposed. */
static int64_t padded(int64_t n) { return (n + RF_GEMM_PANEL - 1) / RF_GEMM_PANEL * RF_GEMM_PANEL; }

static void multiply_packed(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *packed, bool add,
                            real *c, int64_t ldc) {
  rf_gemm_nn(m, n, k, a, lda, packed, padded(n), add, c, ldc);
}

static real *place_of_panel(int64_t k, int64_t n, int64_t panel, real *packed, int64_t *ld) {
  (void)k;
  *ld = padded(n);
  return packed + panel * RF_GEMM_PANEL;
}

#endif

static void pack_transposed(int64_t k, int64_t columns, real factor, const real *b, int64_t ldb, real *to, int64_t ld) {
  for (int64_t j0 = 0; j0 < RF_GEMM_PANEL; j0 += RF_LANES) {
    const real *row[RF_LANES];
    real factors[RF_LANES];
    for (int j = 0; j < RF_LANES; j++) {
      row[j] = b + (j0 + j < columns ? j0 + j : 0) * ldb;
      factors[j] = factor;
    }
    int64_t i = 0;
    if (j0 + RF_LANES <= columns)
      for (; i + RF_LANES <= k; i += RF_LANES) rf_transpose_block(row, i, factors, to + i * ld + j0, ld);
    for (; i < k; i++)
      for (int j = 0; j < RF_LANES; j++) to[i * ld + j0 + j] = j0 + j < columns ? factor * row[j][i] : 0;
  }
}

const char *rf_precision_obstacle(rf_precision precision) {
  return precision == RF_PRECISION_BF16 ? rf_narrow_obstacle() : NULL;
}

size_t rf_packed_bytes(rf_precision precision, int64_t k, int64_t n) {
  if (precision == RF_PRECISION_BF16) return rf_narrow_packed_bytes(k, n);
  return (size_t)((n + RF_GEMM_PANEL - 1) / RF_GEMM_PANEL * RF_GEMM_PANEL * k) * sizeof(real);
}

void rf_gemm_packed(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const rf_packed *packed, bool add,
                    real *c, int64_t ldc) {
#ifdef RF_XSMM
  if (packed->precision == RF_PRECISION_BF16) {
    rf_narrow_gemm(m, n, k, a, lda, packed->data, add, c, ldc);
    return;
  }
#endif
  multiply_packed(m, n, k, a, lda, packed->data, add, c, ldc);
}

void rf_pack_panel(int64_t k, int64_t n, real factor, const real *b, int64_t ldb, bool transposed, int64_t panel,
                   const rf_packed *packed) {
  if (packed->precision == RF_PRECISION_BF16) {
    rf_narrow_pack_panel(k, n, factor, b, ldb, transposed, panel, packed->data);
    return;
  }
  const int64_t first = panel * RF_GEMM_PANEL, columns = n - first < RF_GEMM_PANEL ? n - first : RF_GEMM_PANEL;
  int64_t ld;
  real *restrict to = place_of_panel(k, n, panel, packed->data, &ld);
  if (transposed) {
    pack_transposed(k, columns, factor, b + first * ldb, ldb, to, ld);
    return;
  }
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < RF_GEMM_PANEL; j++) to[i * ld + j] = j < columns ? factor * b[i * ldb + first + j] : 0;
}
