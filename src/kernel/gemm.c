#include "kernel/gemm.h"
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
  void (*nn)(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c);
  void (*tn)(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c);
  void (*packed)(int64_t m, int64_t n, int64_t k, rf_view a, const real *packed, bool add, rf_matrix c);
  /* Where column `first` of b[k, n] goes, which starts a piece of so many columns. */
  rf_matrix (*place_of_columns)(int64_t k, int64_t n, int64_t first, real *packed, int64_t *width);
} engine;

/* --- OpenBLAS ------------------------------------------------------------------------------------------ */

static const char *openblas_target(void) { return openblas_get_corename(); }

static void openblas_nn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  rf_cblas(gemm)(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1, a.data, (int)a.ld, b.data,
                 (int)b.ld, add, c.data, (int)c.ld);
}

static void openblas_tn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  if (k == 0) openblas_nn(m, n, 0, a, b, add, c);
  for (int64_t l = 0; l < k; l += RF_GEMM_DEPTH)
    rf_cblas(gemm)(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n,
                   (int)(k - l < RF_GEMM_DEPTH ? k - l : RF_GEMM_DEPTH), 1, a.data + l * a.ld, (int)a.ld,
                   b.data + l * b.ld, (int)b.ld, add || l > 0, c.data, (int)c.ld);
}

/* OpenBLAS has panels of its own: here one as wide as the padded matrix, so that b is at least not transposed. */
static int64_t padded(int64_t n) { return rf_gemm_panels(n) * RF_GEMM_PANEL; }

static void openblas_packed(int64_t m, int64_t n, int64_t k, rf_view a, const real *packed, bool add, rf_matrix c) {
  openblas_nn(m, n, k, a, (rf_view){packed, padded(n)}, add, c);
}

static rf_matrix openblas_place(int64_t k, int64_t n, int64_t first, real *packed, int64_t *width) {
  (void)k;
  *width = RF_GEMM_PANEL;
  return (rf_matrix){packed + first, padded(n)};
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

/* Sides as they are stored. b_step: reals from one piece of b to that beside it; readable: b may be read up to a whole
 * piece. */
typedef struct sides {
  rf_view a, b;
  int64_t b_step;
  bool a_transposed, readable;
} sides;

/* c[m, n] = a b of a shape that needs no cutting. libxsmm counts in columns: there our c is c^T = b^T a^T. */
static void multiply_whole(int64_t m, int64_t n, int64_t k, const sides *s, bool add, rf_matrix c) {
  const int lda = (int)s->b.ld, ldb = (int)s->a.ld, ld = (int)c.ld;
  const int flags = s->a_transposed ? LIBXSMM_GEMM_FLAG_TRANS_B : LIBXSMM_GEMM_FLAG_NONE;
  const real one = 1, beta = add ? 1 : 0;
  const libxsmm_smmfunction product =
      libxsmm_smmdispatch((int)n, (int)m, (int)k, &lda, &ldb, &ld, &one, &beta, &flags, NULL);
  if (product)
    product(s->b.data, s->a.data, c.data);
  else /* no memory that may hold code */
    rf_cblas(gemm)(CblasRowMajor, s->a_transposed ? CblasTrans : CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, 1,
                   s->a.data, ldb, s->b.data, lda, beta, c.data, ld);
}

/* Columns that do not fill a piece. */
static void multiply_rest(int64_t m, int64_t columns, int64_t k, sides s, bool add, rf_matrix c) {
  real b[RF_GEMM_DEPTH * RF_GEMM_PANEL] __attribute__((aligned(64))),
      whole[ROWS * RF_GEMM_PANEL] __attribute__((aligned(64)));
  const int64_t width = columns <= SLIVER ? SLIVER : RF_GEMM_PANEL;
  if (!s.readable) {
    for (int64_t i = 0; i < k; i++) {
      memcpy(b + i * width, s.b.data + i * s.b.ld, (size_t)columns * sizeof(real));
      memset(b + i * width + columns, 0, (size_t)(width - columns) * sizeof(real));
    }
    s.b = (rf_view){b, width};
  }
  multiply_whole(m, width, k, &s, false, (rf_matrix){whole, width});
  for (int64_t i = 0; i < m; i++)
    for (int64_t j = 0; j < columns; j++)
      c.data[i * c.ld + j] = (add ? c.data[i * c.ld + j] : 0) + whole[i * width + j];
}

/* As many rows and as much depth as are taken at once, all columns. */
static void multiply_columns(int64_t rows, int64_t n, int64_t depth, int64_t width, sides s, bool add, rf_matrix c) {
  for (int64_t j = 0; j < n; j += width, s.b.data += s.b_step, c.data += width) {
    const int64_t columns = n - j < width ? n - j : width;
    if (columns == width || columns == SLIVER)
      multiply_whole(rows, columns, depth, &s, add, c);
    else
      multiply_rest(rows, columns, depth, s, add, c);
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

/* As multiply_columns, of sides whose rows collide: they are copied together. */
static void multiply_copied(int64_t rows, int64_t n, int64_t depth, sides s, bool add, rf_matrix c) {
  real a[DEPTH * (ROWS + OFF)] __attribute__((aligned(64))), b[DEPTH * SLIVER] __attribute__((aligned(64)));
  if (s.a_transposed && collide(depth, s.a.ld)) {
    copy_rows(depth, rows, s.a.data, s.a.ld, a, rows + OFF);
    s.a = (rf_view){a, rows + OFF};
  }
  if (!collide(depth, s.b.ld)) {
    multiply_columns(rows, n, depth, SLIVER, s, add, c);
    return;
  }
  sides part = s;
  part.b = (rf_view){b, SLIVER};
  for (int64_t j = 0; j < n; j += SLIVER) {
    const int64_t columns = n - j < SLIVER ? n - j : SLIVER;
    if (columns == SLIVER)
      copy_rows(depth, SLIVER, s.b.data + j, s.b.ld, b, SLIVER);
    else
      copy_rows(depth, columns, s.b.data + j, s.b.ld, b, SLIVER);
    multiply_columns(rows, columns, depth, SLIVER, part, add, (rf_matrix){c.data + j, c.ld});
  }
}

static void multiply(int64_t m, int64_t n, int64_t k, const sides *s, bool add, rf_matrix c) {
  const shape_of_piece piece = piece_of_b();
  if (k == 0 && !add)
    for (int64_t i = 0; i < m; i++) memset(c.data + i * c.ld, 0, (size_t)n * sizeof(real));
  for (int64_t l = 0; l < k; l += piece.depth) {
    const int64_t depth = k - l < piece.depth ? k - l : piece.depth;
    const bool copied = !wide() && ((s->a_transposed && collide(depth, s->a.ld)) || collide(depth, s->b.ld));
    for (int64_t i = 0; i < m; i += ROWS) {
      const int64_t rows = m - i < ROWS ? m - i : ROWS;
      sides part = *s;
      part.a.data += s->a_transposed ? l * s->a.ld + i : i * s->a.ld + l;
      part.b.data += l * s->b.ld;
      if (copied)
        multiply_copied(rows, n, depth, part, add || l > 0, rf_matrix_row(c, i));
      else
        multiply_columns(rows, n, depth, piece.columns, part, add || l > 0, rf_matrix_row(c, i));
    }
  }
}

static const char *xsmm_target(void) { return libxsmm_get_target_arch(); }

static void xsmm_nn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  multiply(m, n, k, &(sides){a, b, piece_of_b().columns, false, false}, add, c);
}

static void xsmm_tn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  multiply(m, n, k, &(sides){a, b, piece_of_b().columns, true, false}, add, c);
}

static void xsmm_packed(int64_t m, int64_t n, int64_t k, rf_view a, const real *packed, bool add, rf_matrix c) {
  const int64_t columns = piece_of_b().columns;
  multiply(m, n, k, &(sides){a, {packed, columns}, k * columns, false, true}, add, c);
}

static rf_matrix xsmm_place(int64_t k, int64_t n, int64_t first, real *packed, int64_t *width) {
  (void)n;
  *width = piece_of_b().columns;
  return (rf_matrix){packed + first * k, *width};
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

void rf_gemm_nn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  engine_here()->nn(m, n, k, a, b, add, c);
}

void rf_gemm_tn(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  engine_here()->tn(m, n, k, a, b, add, c);
}

void rf_gemm_real_packed(int64_t m, int64_t n, int64_t k, rf_view a, const real *packed, bool add, rf_matrix c) {
  engine_here()->packed(m, n, k, a, packed, add, c);
}

/* `width` columns, of which the last, or all, may lie beyond the matrix: zeros. */
static void pack_transposed(int64_t k, int64_t columns, int64_t width, real factor, rf_view b, rf_matrix to) {
  for (int64_t j0 = 0; j0 < width; j0 += RF_LANES) {
    const real *row[RF_LANES];
    real factors[RF_LANES];
    for (int j = 0; j < RF_LANES; j++) {
      row[j] = b.data + (j0 + j < columns ? j0 + j : 0) * b.ld;
      factors[j] = factor;
    }
    int64_t i = 0;
    if (j0 + RF_LANES <= columns)
      for (; i + RF_LANES <= k; i += RF_LANES) rf_transpose_block(row, i, factors, to.data + i * to.ld + j0, to.ld);
    for (; i < k; i++)
      for (int j = 0; j < RF_LANES; j++) to.data[i * to.ld + j0 + j] = j0 + j < columns ? factor * row[j][i] : 0;
  }
}

static void pack_columns(int64_t k, int64_t columns, int64_t width, real factor, rf_view b, rf_matrix to) {
  const real *restrict from = b.data;
  real *restrict packed = to.data;
  for (int64_t i = 0; i < k; i++)
    for (int64_t j = 0; j < width; j++) packed[i * to.ld + j] = j < columns ? factor * from[i * b.ld + j] : 0;
}

size_t rf_gemm_real_packed_bytes(int64_t k, int64_t n) {
  return (size_t)(rf_gemm_panels(n) * RF_GEMM_PANEL * k) * sizeof(real);
}

void rf_gemm_real_pack_panel(int64_t k, int64_t n, real factor, rf_view b, bool transposed, int64_t panel,
                             real *packed) {
  const int64_t end = (panel + 1) * RF_GEMM_PANEL;
  int64_t width;
  for (int64_t first = panel * RF_GEMM_PANEL; first < end; first += width) {
    const rf_matrix to = engine_here()->place_of_columns(k, n, first, packed, &width);
    const int64_t left = n - first, columns = left < 0 ? 0 : left < width ? left : width;
    const int64_t skipped = columns == 0 ? 0 : transposed ? first * b.ld : first; /* beyond the last nothing is read */
    (transposed ? pack_transposed : pack_columns)(k, columns, width, factor, (rf_view){b.data + skipped, b.ld}, to);
  }
}
