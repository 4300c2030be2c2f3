/* Matrix products: a thin door to BLAS in the chosen precision, row-major. The library runs single-threaded; whoever
 * wants two cores calls it from two threads on independent tiles. */
#ifndef RF_KERNEL_GEMM_H
#define RF_KERNEL_GEMM_H

#include "reformer/real.h"
#include <cblas.h>
#include <stdint.h>

/* c[m, n] = alpha a[m, k] b[k, n] + beta c;  the suffix says how a and b are stored: N as written, T transposed.
 * ld: reals from one stored row to the next. */
static inline void rf_gemm_nn(int64_t m, int64_t n, int64_t k, real alpha, const real *a, int64_t lda, const real *b,
                              int64_t ldb, real beta, real *c, int64_t ldc) {
  rf_cblas(gemm)(CblasRowMajor, CblasNoTrans, CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb,
                 beta, c, (int)ldc);
}

/* b: [n, k] */
static inline void rf_gemm_nt(int64_t m, int64_t n, int64_t k, real alpha, const real *a, int64_t lda, const real *b,
                              int64_t ldb, real beta, real *c, int64_t ldc) {
  rf_cblas(gemm)(CblasRowMajor, CblasNoTrans, CblasTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta,
                 c, (int)ldc);
}

/* a: [k, m] */
static inline void rf_gemm_tn(int64_t m, int64_t n, int64_t k, real alpha, const real *a, int64_t lda, const real *b,
                              int64_t ldb, real beta, real *c, int64_t ldc) {
  rf_cblas(gemm)(CblasRowMajor, CblasTrans, CblasNoTrans, (int)m, (int)n, (int)k, alpha, a, (int)lda, b, (int)ldb, beta,
                 c, (int)ldc);
}

#endif
