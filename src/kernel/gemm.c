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
 *    64 x  256 x 2048, tn            89       113
 *
 * With AVX2 libxsmm is the faster one, too, once pieces fit its cache (docs/performance.md, "Without AVX-512"). For
 * processors below SSE 4.2 it makes no code. */
typedef struct engine {
  const char *library;
  const char *(*target)(void);
  void (*nn)(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add, real *c,
             int64_t ldc);
  void (*tn)(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add, real *c,
             int64_t ldc);
  void (*packed)(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *packed, bool add, real *c,
                 int64_t ldc);
  /* Where column `first` of b[k, n] goes, which starts a piece of so many columns, and the stride of its rows. */
  real *(*place_of_columns)(int64_t k, int64_t n, int64_t first, real *packed, int64_t *ld, int64_t *width);
} engine;

/* --- OpenBLAS ------------------------------------------------------------------------------------------ */

static const char *openblas_target(void) { return openblas_get_corename(); }

static void openblas_nn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb,
                        bool add, real *c, int64_t ldc) {
  rf_cblas(gemm)(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a, (int)lda, b, (int)ldb, add, c,
                 (int)ldc);
}

static void openblas_tn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb,
                        bool add, real *c, int64_t ldc) {
  if (k == 0) openblas_nn(m, n, 0, a, lda, b, ldb, add, c, ldc);
  for (int64_t l = 0; l < k; l += RF_GEMM_DEPTH)
    rf_cblas(gemm)(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n,
                   (int)(k - l < RF_GEMM_DEPTH ? k - l : RF_GEMM_DEPTH), 1, a + l * lda, (int)lda, b + l * ldb,
                   (int)ldb, add || l > 0, c, (int)ldc);
}

/* OpenBLAS has panels of its own: here one as wide as the padded matrix, so that b is at least not transposed. */
static int64_t padded(int64_t n) { return (n + RF_GEMM_PANEL - 1) / RF_GEMM_PANEL * RF_GEMM_PANEL; }

static void openblas_packed(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *packed, bool add,
                            real *c, int64_t ldc) {
  openblas_nn(m, n, k, a, lda, packed, padded(n), add, c, ldc);
}

static real *openblas_place(int64_t k, int64_t n, int64_t first, real *packed, int64_t *ld, int64_t *width) {
  (void)k;
  *width = RF_GEMM_PANEL;
  *ld = padded(n);
  return packed + first;
}

static const engine openblas = {"OpenBLAS", openblas_target, openblas_nn, openblas_tn, openblas_packed, openblas_place};

/* --- libxsmm ------------------------------------------------------------------------------------------- */

#ifdef RF_XSMM

enum {
  ROWS = 128,  /* that a call takes at most: few shapes, little code */
  SLIVER = 32, /* columns below which libxsmm sums in another order when rows are few */
  DEPTH = 128,
  OFF = 16 /* what keeps a stride off powers of two */
};

_Static_assert(RF_GEMM_PANEL *(RF_GEMM_DEPTH + ROWS) + DEPTH * (ROWS + OFF + SLIVER) <= RF_GEMM_STACK,
               "more on the stack than is said");

/* libxsmm's code reads a piece of b, so many columns and so deep, again for every few rows of a. Code for AVX-512 makes
 * enough of each reading to wait for the second-level cache. With half the lanes and half the registers it reads four
 * times as often, and the piece must stay in the first level: 16 KiB of 32. Libxsmm's target decides, which is the
 * processor's: bits repeat there. */
typedef struct shape_of_piece {
  int64_t columns, depth;
} shape_of_piece;

static bool wide(void) { return libxsmm_get_target_archid() >= LIBXSMM_X86_AVX512; }
static shape_of_piece piece_of_b(void) {
  return wide() ? (shape_of_piece){RF_GEMM_PANEL, RF_GEMM_DEPTH} : (shape_of_piece){SLIVER, DEPTH};
}

/* Sides as they are stored. b_step: reals from one piece of b to that beside it; readable: b may be
 * read up to a whole piece. */
typedef struct sides {
  const real *a, *b;
  int64_t lda, ldb, b_step;
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
  else /* no memory that may hold code */
    rf_cblas(gemm)(CblasRowMajor, s->a_transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1,
                   s->a, ldb, s->b, lda, beta, c, ld);
}

/* Columns that do not fill a piece. */
static void narrow_piece(int64_t m, int64_t columns, int64_t k, sides s, bool add, real *c, int64_t ldc) {
  real b[RF_GEMM_DEPTH * RF_GEMM_PANEL] __attribute__((aligned(64))),
      whole[ROWS * RF_GEMM_PANEL] __attribute__((aligned(64)));
  const int64_t width = columns <= SLIVER ? SLIVER : RF_GEMM_PANEL;
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

/* One block of rows and depth, all columns. */
static void multiply_block(int64_t rows, int64_t n, int64_t depth, int64_t width, sides s, bool add, real *c,
                           int64_t ldc) {
  for (int64_t j = 0; j < n; j += width, s.b += s.b_step) {
    const int64_t columns = n - j < width ? n - j : width;
    if (columns == width || columns == SLIVER)
      call(rows, columns, depth, &s, add, c + j, ldc);
    else
      narrow_piece(rows, columns, depth, s, add, c + j, ldc);
  }
}

/* Whether rows so far apart push each other out of a first-level cache of eight ways of 4 KiB. */
static bool collide(int64_t rows, int64_t ld) {
  const int64_t way = 4096, ways = 8, bytes = ld * (int64_t)sizeof(real), two_power = bytes & -bytes;
  return two_power < way ? rows > ways * (way / two_power) : rows > ways;
}

static inline __attribute__((always_inline)) void copy_rows(int64_t rows, int64_t n, const real *restrict from,
                                                            int64_t ld, real *restrict to, int64_t ld_to) {
  for (int64_t i = 0; i < rows; i++) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) to[i * ld_to + j] = from[i * ld + j];
  }
}

/* As multiply_block, of sides whose rows collide: they are copied together. */
static void multiply_copied(int64_t rows, int64_t n, int64_t depth, sides s, bool add, real *c, int64_t ldc) {
  real a[DEPTH * (ROWS + OFF)] __attribute__((aligned(64))), b[DEPTH * SLIVER] __attribute__((aligned(64)));
  if (s.a_transposed && collide(depth, s.lda)) {
    copy_rows(depth, rows, s.a, s.lda, a, rows + OFF);
    s.a = a;
    s.lda = rows + OFF;
  }
  if (!collide(depth, s.ldb)) {
    multiply_block(rows, n, depth, SLIVER, s, add, c, ldc);
    return;
  }
  sides part = s;
  part.b = b;
  part.ldb = SLIVER;
  for (int64_t j = 0; j < n; j += SLIVER) {
    const int64_t columns = n - j < SLIVER ? n - j : SLIVER;
    if (columns == SLIVER)
      copy_rows(depth, SLIVER, s.b + j, s.ldb, b, SLIVER);
    else
      copy_rows(depth, columns, s.b + j, s.ldb, b, SLIVER);
    multiply_block(rows, columns, depth, SLIVER, part, add, c + j, ldc);
  }
}

static void multiply(int64_t m, int64_t n, int64_t k, const sides *s, bool add, real *c, int64_t ldc) {
  const shape_of_piece piece = piece_of_b();
  if (k == 0 && !add)
    for (int64_t i = 0; i < m; i++) memset(c + i * ldc, 0, (size_t)n * sizeof(real));
  for (int64_t l = 0; l < k; l += piece.depth) {
    const int64_t depth = k - l < piece.depth ? k - l : piece.depth;
    const bool copied = !wide() && ((s->a_transposed && collide(depth, s->lda)) || collide(depth, s->ldb));
    for (int64_t i = 0; i < m; i += ROWS) {
      const int64_t rows = m - i < ROWS ? m - i : ROWS;
      sides part = *s;
      part.a += s->a_transposed ? l * s->lda + i : i * s->lda + l;
      part.b += l * s->ldb;
      if (copied)
        multiply_copied(rows, n, depth, part, add || l > 0, c + i * ldc, ldc);
      else
        multiply_block(rows, n, depth, piece.columns, part, add || l > 0, c + i * ldc, ldc);
    }
  }
}

static const char *xsmm_target(void) { return libxsmm_get_target_arch(); }

static void xsmm_nn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                    real *c, int64_t ldc) {
  multiply(m, n, k, &(sides){a, b, lda, ldb, piece_of_b().columns, false, false}, add, c, ldc);
}

static void xsmm_tn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                    real *c, int64_t ldc) {
  multiply(m, n, k, &(sides){a, b, lda, ldb, piece_of_b().columns, true, false}, add, c, ldc);
}

static void xsmm_packed(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *packed, bool add,
                        real *c, int64_t ldc) {
  const int64_t columns = piece_of_b().columns;
  multiply(m, n, k, &(sides){a, packed, lda, columns, k * columns, false, true}, add, c, ldc);
}

static real *xsmm_place(int64_t k, int64_t n, int64_t first, real *packed, int64_t *ld, int64_t *width) {
  (void)n;
  *ld = *width = piece_of_b().columns;
  return packed + first * k;
}

static const engine xsmm = {"libxsmm", xsmm_target, xsmm_nn, xsmm_tn, xsmm_packed, xsmm_place};

#endif

/* --- whichever multiplies here ------------------------------------------------------------------------- */

static const engine *engine_here(void) {
#ifdef RF_XSMM
  if (libxsmm_get_target_archid() >= LIBXSMM_X86_SSE3) return &xsmm; /* its least that it makes code for */
#endif
  return &openblas;
}

const char *rf_gemm_library(void) { return engine_here()->library; }

const char *rf_gemm_target(void) { return engine_here()->target(); }

void rf_gemm_nn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc) {
  engine_here()->nn(m, n, k, a, lda, b, ldb, add, c, ldc);
}

void rf_gemm_tn(int64_t m, int64_t n, int64_t k, const real *a, int64_t lda, const real *b, int64_t ldb, bool add,
                real *c, int64_t ldc) {
  engine_here()->tn(m, n, k, a, lda, b, ldb, add, c, ldc);
}

/* `width` columns, of which the last, or all, may lie beyond the matrix: zeros. */
static void pack_transposed(int64_t k, int64_t columns, int64_t width, real factor, const real *b, int64_t ldb,
                            real *to, int64_t ld) {
  for (int64_t j0 = 0; j0 < width; j0 += RF_LANES) {
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
  engine_here()->packed(m, n, k, a, lda, packed->data, add, c, ldc);
}

void rf_pack_panel(int64_t k, int64_t n, real factor, const real *b, int64_t ldb, bool transposed, int64_t panel,
                   const rf_packed *packed) {
  if (packed->precision == RF_PRECISION_BF16) {
    rf_narrow_pack_panel(k, n, factor, b, ldb, transposed, panel, packed->data);
    return;
  }
  const int64_t end = (panel + 1) * RF_GEMM_PANEL;
  int64_t ld, width;
  for (int64_t first = panel * RF_GEMM_PANEL; first < end; first += width) {
    real *restrict to = engine_here()->place_of_columns(k, n, first, packed->data, &ld, &width);
    const int64_t left = n - first, columns = left < 0 ? 0 : left < width ? left : width;
    if (transposed)
      pack_transposed(k, columns, width, factor, columns > 0 ? b + first * ldb : b, ldb, to, ld);
    else
      for (int64_t i = 0; i < k; i++)
        for (int64_t j = 0; j < width; j++) to[i * ld + j] = j < columns ? factor * b[i * ldb + first + j] : 0;
  }
}
