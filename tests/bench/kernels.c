/* Speed of the matrix products of a training step, beside OpenBLAS's: GFLOP/s of one thread, the best of a few runs, in
 * processor time, so that others on the machine disturb little.
 *   build/release/tests/bench_kernels */
#include "kernel/gemm_packed.h"
#include "kernel/peak.h"
#include "reformer/rng.h"
#include <cblas.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef enum kind { NN, TN, PACKED } kind;

typedef struct shape {
  const char *what;
  kind kind;
  int64_t m, n, k, lda, ldb;
} shape;

/* For configs/small.yaml: d_model 256, d_ff 1024, heads of 64, chunks of 64 with 128 keys, tiles of 128 tokens. */
static const shape shapes[] = {
    {"scores of a chunk", NN, 64, 128, 64, 64, 592},
    {"values of a chunk", NN, 64, 64, 128, 128, 64},
    {"gradient of keys or values", TN, 128, 64, 64, 128, 64},
    {"rotations of a tile", NN, 128, 256, 64, 256, 256},
    {"projection", PACKED, 128, 256, 256, 256, 256},
    {"feed-forward, inner", PACKED, 128, 1024, 256, 256, 256},
    {"feed-forward, outer", PACKED, 128, 256, 1024, 1024, 1024},
    {"gradient of a projection", TN, 64, 256, 1024, 256, 272},
    {"gradient of the inner weight", TN, 64, 256, 1024, 1040, 272},
    {"gradient of the outer weight", TN, 64, 256, 1024, 272, 1040},
};

typedef struct matrices {
  real *a, *b, *c;
  rf_packed packed, bf16; /* b in both precisions */
} matrices;

static double processor_seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void multiply(const shape *s, const matrices *x) {
  const rf_view a = {x->a, s->lda}, b = {x->b, s->ldb};
  const rf_matrix c = {x->c, s->n};
  if (s->kind == NN) rf_gemm_nn(s->m, s->n, s->k, a, b, false, c);
  if (s->kind == TN) rf_gemm_tn(s->m, s->n, s->k, a, b, true, c);
  if (s->kind == PACKED) rf_gemm_packed(s->m, s->n, s->k, a, &x->packed, false, c);
}

static void multiply_bf16(const shape *s, const matrices *x) {
  rf_gemm_packed(s->m, s->n, s->k, (rf_view){x->a, s->lda}, &x->bf16, false, (rf_matrix){x->c, s->n});
}

/* The weight [n, k] of a packed product is read transposed, as it is stored. */
static void multiply_by_openblas(const shape *s, const matrices *x) {
  const real beta = s->kind == TN;
#ifdef RF_DOUBLE
  cblas_dgemm(
#else
  cblas_sgemm(
#endif
      CblasRowMajor, s->kind == TN ? CblasTrans : CblasNoTrans, s->kind == PACKED ? CblasTrans : CblasNoTrans,
      (int)s->m, (int)s->n, (int)s->k, 1, x->a, (int)s->lda, x->b, (int)s->ldb, beta, x->c, (int)s->n);
}

static double rate(const shape *s, const matrices *x, void (*product)(const shape *, const matrices *)) {
  enum { RUNS = 7 };
  const double operations = 2.0 * (double)(s->m * s->n * s->k), least = 0.02;
  double best = 0;
  product(s, x); /* touches memory, makes code */
  for (int run = 0; run < RUNS; run++) {
    const double start = processor_seconds();
    double spent = 0;
    long calls = 0;
    for (; spent < least; spent = processor_seconds() - start)
      for (int i = 0; i < 16; i++, calls++) product(s, x);
    best = operations * (double)calls / spent > best ? operations * (double)calls / spent : best;
  }
  return best * 1e-9;
}

static real *numbers(int64_t n) {
  real *x = aligned_alloc(64, (size_t)((n * (int64_t)sizeof(real) + 63) / 64 * 64));
  if (!x) return NULL;
  const rf_draw draw = {.seed = 1, .purpose = RF_RNG_TASK};
  for (int64_t i = 0; i < n; i++) x[i] = (real)(rf_draw_uniform(&draw, (uint64_t)i) - 0.5);
  return x;
}

static rf_packed pack(const shape *s, rf_precision precision, const real *b) {
  const int64_t bytes = (int64_t)rf_packed_bytes(precision, s->k, s->n);
  const rf_packed packed = {precision, numbers((bytes + (int64_t)sizeof(real) - 1) / (int64_t)sizeof(real))};
  for (int64_t j = 0; packed.data && s->kind == PACKED && j < s->n; j += RF_GEMM_PANEL)
    rf_pack_panel(s->k, s->n, 1, (rf_view){b, s->ldb}, true, j / RF_GEMM_PANEL, &packed);
  return packed;
}

static int measure(const shape *s) {
  const int64_t rows_a = s->kind == TN ? s->k : s->m, rows_b = s->kind == PACKED ? s->n : s->k;
  matrices x = {numbers(rows_a * s->lda), numbers(rows_b * s->ldb), numbers(s->m * s->n), {0}, {0}};
  if (x.b) {
    x.packed = pack(s, RF_PRECISION_FULL, x.b);
    x.bf16 = pack(s, RF_PRECISION_BF16, x.b);
  }
  const int there = x.a && x.b && x.c && x.packed.data && x.bf16.data;
  if (there) {
    const char *const kinds[] = {"nn", "tn", "packed"};
    printf("%-30s %-7s %5d x %5d x %5d %8.1f %8.1f", s->what, kinds[s->kind], (int)s->m, (int)s->n, (int)s->k,
           rate(s, &x, multiply), rate(s, &x, multiply_by_openblas));
    if (s->kind == PACKED && !rf_precision_obstacle(RF_PRECISION_BF16)) printf(" %8.1f", rate(s, &x, multiply_bf16));
    printf("\n");
  }
  free(x.a);
  free(x.b);
  free(x.packed.data);
  free(x.bf16.data);
  free(x.c);
  return there;
}

int main(void) {
  openblas_set_num_threads(1);
  omp_set_num_threads(1);
  printf("peak of one thread, " RF_REAL_NAME ": %.1f GFLOP/s\n", rf_peak_rate(0.05) * 1e-9);
  printf("%-30s %-7s %5s   %5s   %5s %8s %8s %8s\n", "product", "", "m", "n", "k", rf_gemm_library(), "OpenBLAS",
         "in bf16");
  for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++)
    if (!measure(&shapes[i])) return EXIT_FAILURE;
  return EXIT_SUCCESS;
}
