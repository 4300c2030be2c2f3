/* Matrix products against a plain loop in double, whatever the precision of what is multiplied. */
#ifndef TESTS_SUPPORT_PRODUCTS_H
#define TESTS_SUPPORT_PRODUCTS_H

#include "kernel/gemm_packed.h"
#include "support/numbers.h"

/* A sum of n rounded products is off by at most about n roundings, and by sqrt(n) of them on average. */
static inline double product_rounding(int64_t n) { return 4 * sqrt((double)n + 16) * (double)RF_REAL_EPSILON; }

typedef void (*product)(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c);

/* gemm multiplies factor * a b, of numbers as value() sees them. */
typedef struct product_case {
  const char *what;
  product gemm;
  bool a_transposed, b_transposed;
  double factor;
  double (*value)(real);
} product_case;

static inline rf_packed pack_all(rf_precision precision, int64_t k, int64_t n, real factor, rf_view b,
                                 bool transposed) {
  const rf_packed packed = {precision, NEW(char, rf_packed_bytes(precision, k, n) + 1)};
  for (int64_t j = 0; j < n; j += RF_GEMM_PANEL) rf_pack_panel(k, n, factor, b, transposed, j / RF_GEMM_PANEL, &packed);
  return packed;
}

/* Outside of the matrices stand NaNs, which would spread, and in c numbers that must stay. */
static inline void check_product_of_strides(const product_case *p, int64_t m, int64_t n, int64_t k, bool add,
                                            int64_t lda, int64_t ldb) {
  dice d = {.seed = 1 + (uint64_t)(m + 1000 * n + 1000000 * k)};
  const int64_t columns_a = p->a_transposed ? m : k, columns_b = p->b_transposed ? k : n, ldc = n + 1;
  const int64_t all_a = lda * (p->a_transposed ? k : m), all_b = ldb * (p->b_transposed ? n : k), all_c = ldc * m;
  real *a = dice_reals(&d, all_a + 1, 1), *b = dice_reals(&d, all_b + 1, 1), *c = dice_reals(&d, all_c + 1, 1);
  double *expected = NEW(double, all_c + 1);
  for (int64_t i = 0; i < all_a; i++)
    if (i % lda >= columns_a) a[i] = NAN;
  for (int64_t i = 0; i < all_b; i++)
    if (i % ldb >= columns_b) b[i] = NAN;
  for (int64_t i = 0; i <= all_c; i++) {
    if (!add && i < all_c && i % ldc < n) c[i] = NAN; /* not read */
    expected[i] = (double)c[i];
  }
  for (int64_t r = 0; r < m; r++)
    for (int64_t j = 0; j < n; j++) {
      double sum = add ? expected[r * ldc + j] : 0;
      for (int64_t l = 0; l < k; l++)
        sum += p->factor * p->value(p->a_transposed ? a[l * lda + r] : a[r * lda + l]) *
               p->value(p->b_transposed ? b[j * ldb + l] : b[l * ldb + j]);
      expected[r * ldc + j] = sum;
    }
  p->gemm(m, n, k, (rf_view){a, lda}, (rf_view){b, ldb}, add, (rf_matrix){c, ldc});
  assert_close(p->what, relative_error(all_c + 1, c, expected), product_rounding(k));
  free(a);
  free(b);
  free(c);
  free(expected);
}

static inline void check_product(const product_case *p, int64_t m, int64_t n, int64_t k, bool add) {
  check_product_of_strides(p, m, n, k, add, (p->a_transposed ? m : k) + 2, (p->b_transposed ? k : n) + 3);
}

/* However rows are shared out, each has the bits that `whole`, of all rows, gives it. */
static inline void check_rows_of_packed(rf_precision precision, product whole_product, int64_t n, uint64_t seed) {
  enum { M = 131, K = 521 };
  dice d = {.seed = seed};
  real *a = dice_reals(&d, M * K, 1), *b = dice_reals(&d, K * n, 1);
  real *start = dice_reals(&d, M * n, 1), *whole = NEW(real, M * n), *part = NEW(real, M * n);
  const rf_packed packed = pack_all(precision, K, n, 1, (rf_view){b, n}, false);
  memcpy(whole, start, sizeof(real) * (size_t)(M * n));
  whole_product(M, n, K, (rf_view){a, K}, (rf_view){b, n}, true, (rf_matrix){whole, n});
  for (int64_t rows = 1; rows <= M; rows += rows < 20 ? 1 : 37) {
    memcpy(part, start, sizeof(real) * (size_t)(M * n));
    for (int64_t i = 0; i < M; i += rows)
      rf_gemm_packed(i + rows <= M ? rows : M - i, n, K, (rf_view){a + i * K, K}, &packed, true,
                     (rf_matrix){part + i * n, n});
    assert_same_bits("rows", M * n, part, whole);
  }
  void *all[] = {a, b, packed.data, start, whole, part};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

#endif
