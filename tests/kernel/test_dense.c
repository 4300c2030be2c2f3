/* Products, norms, activations, keys, gathers and cross-entropy against plain loops in double. */
#include "kernel/activation.h"
#include "kernel/cross_entropy.h"
#include "kernel/gather.h"
#include "kernel/key_norm.h"
#include "kernel/norm.h"
#include "support/products.h"

/* A sum of n rounded numbers is off as one of products is. */
static double rounding(int64_t n) { return product_rounding(n); }

static double as_it_is(real x) { return (double)x; }

static void multiply_packed(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  const rf_packed packed = pack_all(RF_PRECISION_FULL, k, n, 1, b, false);
  rf_gemm_packed(m, n, k, a, &packed, add, c);
  free(packed.data);
}

static void multiply_packed_transposed(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  const rf_packed packed = pack_all(RF_PRECISION_FULL, k, n, 1, b, true);
  rf_gemm_packed(m, n, k, a, &packed, add, c);
  free(packed.data);
}

static const product_case cases[] = {{"nn", rf_gemm_nn, false, false, 1, as_it_is},
                                     {"tn", rf_gemm_tn, true, false, 1, as_it_is},
                                     {"packed", multiply_packed, false, false, 1, as_it_is},
                                     {"packed, transposed", multiply_packed_transposed, false, true, 1, as_it_is}};

static void test_products_equal_a_triple_loop(void **state) {
  (void)state;
  static const int64_t rows[] = {1, 2, 3, 5, 11, 13, 64, 129}, columns[] = {1, 15, 16, 31, 32, 33, 48, 64, 65, 129};
  static const int64_t depths[] = {1, 7, 64, 513};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
      for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
        check_product(&cases[i], rows[r], columns[c], depths[(r + c) % 4], (r + c) % 3 == 0);
    check_product(&cases[i], 64, 128, 64, false);
    check_product(&cases[i], 3, 5, 0, false);
    check_product(&cases[i], 3, 5, 0, true);
  }
}

/* Rows at powers of two push each other out of a cache, and are copied where that costs: of a, of b, of both; with
 * columns that fill their pieces and some that do not. */
static void test_strides_of_powers_of_two_change_no_product(void **state) {
  (void)state;
  static const struct {
    int64_t m, n, k, lda, ldb;
  } shapes[] = {{64, 256, 128, 1024, 1024}, {64, 129, 200, 256, 512}, {129, 257, 200, 512, 512},
                {129, 64, 130, 256, 77},    {5, 257, 129, 130, 1024}, {200, 33, 257, 1024, 256},
                {3, 5, 129, 256, 256}};
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
    for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
      const int64_t columns_a = cases[i].a_transposed ? shapes[s].m : shapes[s].k;
      const int64_t columns_b = cases[i].b_transposed ? shapes[s].k : shapes[s].n;
      for (int add = 0; add <= 1; add++)
        check_product_of_strides(&cases[i], shapes[s].m, shapes[s].n, shapes[s].k, add,
                                 shapes[s].lda < columns_a ? 512 : shapes[s].lda,
                                 shapes[s].ldb < columns_b ? 512 : shapes[s].ldb);
    }
}

static void test_packing_multiplies_by_the_factor(void **state) {
  (void)state;
  enum { K = 7, N = RF_GEMM_PANEL + 3 };
  dice d = {.seed = 2};
  real *b = dice_reals(&d, K * N, 1), *minus = NEW(real, K * N);
  for (int i = 0; i < K * N; i++) minus[i] = -b[i];
  for (int transposed = 0; transposed <= 1; transposed++) {
    real *packed = pack_all(RF_PRECISION_FULL, K, N, -1, (rf_view){b, transposed ? K : N}, transposed).data;
    real *expected = pack_all(RF_PRECISION_FULL, K, N, 1, (rf_view){minus, transposed ? K : N}, transposed).data;
    const size_t reals = rf_packed_bytes(RF_PRECISION_FULL, K, N) / sizeof(real);
    for (size_t i = 0; i < reals; i++) assert_true(packed[i] == expected[i]); /* -0 == 0 */
    free(packed);
    free(expected);
  }
  free(b);
  free(minus);
}

/* With libxsmm, however rows are shared out, each has the same bits. */
static void test_a_row_of_a_product_does_not_depend_on_its_neighbours(void **state) {
  (void)state;
  if (strcmp(rf_gemm_library(), "libxsmm") != 0) skip(); /* OpenBLAS promises it for whole tiles */
  static const int64_t columns[] = {5, 16, 32, 40, 64, 64 + 16, 128 + 33, 256};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    check_rows_of_packed(RF_PRECISION_FULL, rf_gemm_nn, columns[i], 3 + i);
}

enum { ROWS = 5, WIDTH = 37, LDX = 40, LDY = 41 };

typedef struct norm_case {
  real *x, *y, *dy, *dx, *scale, *bias, dscale[WIDTH], dbias[WIDTH];
} norm_case;

static norm_case norm_create(dice *d, double mean) {
  norm_case c = {.x = NEW(real, ROWS * LDX),
                 .y = dice_reals(d, ROWS * LDY, 1),
                 .dy = dice_reals(d, ROWS * LDY, 1),
                 .dx = dice_reals(d, ROWS * LDX, 1),
                 .scale = dice_reals(d, WIDTH, 1),
                 .bias = dice_reals(d, WIDTH, 1)};
  dice_fill(d, ROWS * LDX, mean, 1, c.x);
  for (int j = 0; j < WIDTH; j++) c.dscale[j] = c.dbias[j] = R_(0.25);
  return c;
}

static void norm_destroy(norm_case *c) {
  void *all[] = {c->x, c->y, c->dy, c->dx, c->scale, c->bias};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void row_moments(const real *x, double eps, double *mean, double *inverse) {
  double sum = 0, squares = 0;
  for (int j = 0; j < WIDTH; j++) sum += (double)x[j];
  *mean = sum / WIDTH;
  for (int j = 0; j < WIDTH; j++) squares += ((double)x[j] - *mean) * ((double)x[j] - *mean);
  *inverse = 1 / sqrt(squares / WIDTH + eps);
}

static void test_norm_equals_its_formula(void **state) {
  (void)state;
  for (int shifted = 0; shifted <= 1; shifted++) {
    dice d = {.seed = 11};
    norm_case c = norm_create(&d, shifted ? 100 : 0);
    double expected[ROWS * LDY];
    for (int i = 0; i < ROWS * LDY; i++) expected[i] = (double)c.y[i];
    for (int i = 0; i < ROWS; i++) {
      double mean, inverse;
      row_moments(c.x + i * LDX, 1e-3, &mean, &inverse);
      for (int j = 0; j < WIDTH; j++)
        expected[i * LDY + j] = ((double)c.x[i * LDX + j] - mean) * inverse * (double)c.scale[j] + (double)c.bias[j];
    }
    rf_norm(&(rf_norm_weights){WIDTH, c.scale, c.bias, R_(1e-3)}, ROWS, (rf_view){c.x, LDX}, (rf_matrix){c.y, LDY});
    /* a mean of 100 deviations costs two digits of the difference, and no more */
    assert_close("norm", relative_error(ROWS * LDY, c.y, expected), rounding(WIDTH) * (shifted ? 30 : 1));
    norm_destroy(&c);
  }
}

static void test_norm_vjp_equals_the_jacobian_row_by_row(void **state) {
  (void)state;
  dice d = {.seed = 12};
  norm_case c = norm_create(&d, 0);
  double dx[ROWS * LDX], dscale[WIDTH], dbias[WIDTH];
  for (int i = 0; i < ROWS * LDX; i++) dx[i] = (double)c.dx[i];
  for (int j = 0; j < WIDTH; j++) dscale[j] = dbias[j] = 0.25;
  for (int i = 0; i < ROWS; i++) {
    double mean, inverse;
    row_moments(c.x + i * LDX, 1e-3, &mean, &inverse);
    for (int j = 0; j < WIDTH; j++) {
      const double xhat = ((double)c.x[i * LDX + j] - mean) * inverse, dy = (double)c.dy[i * LDY + j];
      dscale[j] += dy * xhat;
      dbias[j] += dy;
      /* d y_j / d x_l = scale_j inverse (delta_jl - 1/n - xhat_j xhat_l / n) */
      for (int l = 0; l < WIDTH; l++) {
        const double xhat_l = ((double)c.x[i * LDX + l] - mean) * inverse;
        dx[i * LDX + l] += dy * (double)c.scale[j] * inverse * ((j == l) - 1.0 / WIDTH - xhat * xhat_l / WIDTH);
      }
    }
  }
  rf_norm_vjp(&(rf_norm_weights){WIDTH, c.scale, c.bias, R_(1e-3)}, ROWS, (rf_view){c.x, LDX}, (rf_view){c.dy, LDY},
              (rf_matrix){c.dx, LDX}, c.dscale, c.dbias);
  assert_close("dx", relative_error(ROWS * LDX, c.dx, dx), rounding(WIDTH));
  assert_close("dscale", relative_error(WIDTH, c.dscale, dscale), rounding(ROWS));
  assert_close("dbias", relative_error(WIDTH, c.dbias, dbias), rounding(ROWS));
  norm_destroy(&c);
}

static void test_activations_equal_their_formulas(void **state) {
  (void)state;
  enum { N = 333 };
  dice d = {.seed = 13};
  real *pre = dice_reals(&d, N, 3), *dh = dice_reals(&d, N, 1), *h = NEW(real, N);
  pre[0] = 0;
  pre[1] = -40;
  pre[2] = 40;
  for (int gelu = 0; gelu <= 1; gelu++) {
    double expected[N], slope[N];
    for (int i = 0; i < N; i++) {
      const double x = (double)pre[i], cdf = 0.5 * erfc(-x / sqrt(2)), pdf = exp(-x * x / 2) / sqrt(2 * acos(-1));
      expected[i] = gelu ? x * cdf : x > 0 ? x : 0;
      slope[i] = (gelu ? cdf + x * pdf : x > 0 ? 1 : 0) * (double)dh[i];
    }
    const rf_activation kind = gelu ? RF_GELU : RF_RELU;
    real own[N], both[N];
    rf_activate(kind, N, pre, h);
    memcpy(own, pre, sizeof own);
    rf_activate_with_slope(kind, N, own, both, own);
    assert_same_bits("with slope", N, both, h);
    memcpy(both, dh, sizeof both);
    rf_activate_vjp(kind, N, h, own, both);
    assert_close("activation", relative_error(N, h, expected), 4 * (double)RF_REAL_EPSILON);
    assert_close("slope", relative_error(N, both, slope), 4 * (double)RF_REAL_EPSILON);
    memcpy(own, pre, sizeof own);
    rf_activate(kind, N, own, own);
    assert_same_bits("in place", N, own, h);
  }
  free(pre);
  free(dh);
  free(h);
}

/* Number by number, so that the tail, where gelu is small, is as exact as the middle. The slope has a root near -0.75,
 * where no more can be asked than what its two terms are rounded to. What rounds to no normal number may be zero. */
static void test_gelu_is_exact_to_a_few_units_everywhere(void **state) {
  (void)state;
  enum { N = 1 << 18 };
  const double unit = (double)RF_REAL_EPSILON;
  if (sizeof(real) != sizeof(float)) skip(); /* in double it is libm's */
  real *x = NEW(real, N), *h = NEW(real, N), *slope = NEW(real, N);
  double worst = 0, worst_slope = 0;
  for (int i = 0; i < N; i++) x[i] = (real)(-14 + 28 * (double)i / N); /* exp(-14^2 / 2) is below the smallest float */
  rf_activate_with_slope(RF_GELU, N, x, h, slope);
  for (int i = 0; i < N; i++) {
    const double xi = (double)x[i], cdf = 0.5 * erfc(-xi / sqrt(2)), pdf = exp(-xi * xi / 2) / sqrt(2 * acos(-1));
    const double tiny = 32 * (double)FLT_MIN, size = fmax(cdf, fabs(xi) * pdf);
    const double off = fabs((double)h[i] - xi * cdf), slope_off = fabs((double)slope[i] - cdf - xi * pdf);
    worst = fmax(worst, off < tiny ? 0 : off / (unit * fabs(xi * cdf)));
    worst_slope = fmax(worst_slope, slope_off < tiny ? 0 : slope_off / (unit * size));
  }
  assert_close("gelu, units in the last place", worst, 4);
  assert_close("its slope, units of its terms", worst_slope, 4);
  free(x);
  free(h);
  free(slope);
}

static void test_activations_of_what_is_no_number_are_none(void **state) {
  (void)state;
  const real pre[] = {R_(NAN), R_(INFINITY), R_(1e30), R_(-1e30), R_(-0.0)};
  enum { N = sizeof pre / sizeof *pre };
  real h[N], slope[N];
  rf_activate_with_slope(RF_GELU, N, pre, h, slope);
  assert_true(isnan(h[0]) && isnan(slope[0]));
  assert_true(isinf(h[1]) && h[1] > 0);
  assert_true(h[2] == pre[2] && slope[2] == 1);
  assert_true(h[3] == 0 && slope[3] == 0);
  assert_true(h[4] == 0 && slope[4] == R_(0.5));
}

/* k = s(q) q and its transposed Jacobian, by the quotient rule written out. */
static void test_key_norm_vjp_equals_the_jacobian(void **state) {
  (void)state;
  enum { DH = 13 };
  for (int kind = RF_KEYS_RMS; kind <= RF_KEYS_UNIT; kind++) {
    dice d = {.seed = 14};
    real *q = dice_reals(&d, DH, 1), *dk = dice_reals(&d, DH, 1), *dq = dice_reals(&d, DH, 1);
    double squares = 0, expected[DH];
    for (int j = 0; j < DH; j++) squares += (double)q[j] * (double)q[j];
    const double length = kind == RF_KEYS_RMS ? sqrt(squares / DH + 1e-6) : sqrt(squares);
    const double s = 1 / (length * sqrt(DH));
    assert_close("factor", fabs((double)rf_key_factor((rf_key_norm)kind, DH, q) / s - 1), rounding(DH));
    for (int l = 0; l < DH; l++) {
      expected[l] = (double)dq[l];
      const double dlength = (double)q[l] / length / (kind == RF_KEYS_RMS ? DH : 1); /* of length with q_l */
      for (int j = 0; j < DH; j++) expected[l] += (double)dk[j] * ((j == l) * s - (double)q[j] * s / length * dlength);
    }
    rf_key_norm_vjp((rf_key_norm)kind, DH, q, dk, dq);
    assert_close("dq", relative_error(DH, dq, expected), rounding(DH));
    free(q);
    free(dk);
    free(dq);
  }
}

static void test_keys_of_zero_queries_are_zero_and_finite(void **state) {
  (void)state;
  const real q[4] = {0}, dk[4] = {1, 2, 3, 4};
  for (int kind = RF_KEYS_RMS; kind <= RF_KEYS_UNIT; kind++) {
    real dq[4] = {0};
    const real s = rf_key_factor((rf_key_norm)kind, 4, q);
    rf_key_norm_vjp((rf_key_norm)kind, 4, q, dk, dq);
    assert_true(isfinite(s));
    for (int j = 0; j < 4; j++) assert_true(dq[j] == s * dk[j]);
  }
}

static void test_gathers_and_scatters_move_rows(void **state) {
  (void)state;
  enum { N = 37, D = 5, LD = 7, LD_OUT = 48 };
  dice d = {.seed = 15};
  real *rows = dice_reals(&d, N * LD, 1), *row_scale = dice_reals(&d, N, 1), *to = dice_reals(&d, N * LD, 1);
  real out[N * D], transposed[D * LD_OUT], before[N * LD];
  int32_t index[N];
  for (int i = 0; i < N; i++) index[i] = (i * 11 + 3) % N; /* each once */
  for (int scaled = 0; scaled <= 1; scaled++) {
    const rf_rows from = {rows, D, LD, scaled ? row_scale : NULL, R_(0.3)};
    rf_rows_gather(&from, N, index, out);
    rf_rows_gather_transposed(&from, N, index, transposed, LD_OUT);
    for (int i = 0; i < N; i++)
      for (int j = 0; j < D; j++) {
        const real expected = rows[index[i] * LD + j] * (scaled ? row_scale[index[i]] : R_(0.3));
        assert_true(out[i * D + j] == expected);
        assert_true(transposed[j * LD_OUT + i] == expected);
      }
  }
  memcpy(before, to, sizeof before);
  rf_rows_scatter_add(N, D, index, out, to, LD);
  for (int i = 0; i < N; i++)
    for (int j = 0; j < LD; j++)
      assert_true(to[index[i] * LD + j] == before[index[i] * LD + j] + (j < D ? out[i * D + j] : 0));
  free(rows);
  free(row_scale);
  free(to);
}

static void test_cross_entropy_equals_its_formula(void **state) {
  (void)state;
  enum { N = 75 };
  for (int spread = 0; spread < 3; spread++) {
    dice d = {.seed = 16};
    real *logits = dice_reals(&d, N, spread == 0 ? 1 : spread == 1 ? 100 : 1e4);
    const int32_t label = 41;
    double largest = -INFINITY, sum = 0, expected[N];
    int best = 0;
    for (int j = 0; j < N; j++)
      if ((double)logits[j] > largest) largest = (double)logits[j], best = j;
    for (int j = 0; j < N; j++) sum += exp((double)logits[j] - largest);
    const double loss = log(sum) + largest - (double)logits[label];
    for (int j = 0; j < N; j++) expected[j] = 0.125 * (exp((double)logits[j] - largest) / sum - (j == label));
    bool correct;
    const double found = rf_cross_entropy(N, label, R_(0.125), logits, &correct);
    assert_close("loss", fabs(found - loss) / loss, 8 * (double)RF_REAL_EPSILON);
    assert_close("gradient", relative_error(N, logits, expected), 8 * (double)RF_REAL_EPSILON);
    assert_int_equal(correct, best == label);
    free(logits);
  }
}

static void test_the_first_of_equal_logits_is_the_prediction(void **state) {
  (void)state;
  for (int32_t label = 0; label < 3; label++) {
    real logits[] = {1, 2, 2};
    bool correct;
    rf_cross_entropy(3, label, 1, logits, &correct);
    assert_int_equal(correct, label == 1);
  }
}

/* A clamp or a maximum that drops NaN would train on with a broken model. */
static void test_a_logit_that_is_not_a_number_makes_the_loss_none(void **state) {
  (void)state;
  enum { N = 37 };
  for (int at = 0; at < N; at++) {
    real logits[N];
    bool correct;
    for (int j = 0; j < N; j++) logits[j] = (real)(j % 5);
    logits[at] = (real)NAN;
    assert_true(isnan(rf_cross_entropy(N, 17, 1, logits, &correct)));
    assert_true(isnan(logits[0])); /* the gradient too */
  }
}

static const char *target; /* that LIBXSMM_TARGET asks for; NULL: what the processor has */

static void test_products_are_made_by_the_code_that_is_asked_for(void **state) {
  (void)state;
  if (!target) skip();
  if (strcmp(target, "x86") == 0)
    assert_string_equal(rf_gemm_library(), "OpenBLAS");
  else
    assert_string_equal(rf_gemm_target(), target);
}

static bool runs_here(const char *code) {
#ifdef __x86_64__
  if (strcmp(code, "hsw") == 0) return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (strcmp(code, "wsm") == 0) return __builtin_cpu_supports("sse4.2");
#else
  (void)code;
#endif
  return true;
}

/* test_kernel_dense [TARGET]: libxsmm's, as in LIBXSMM_TARGET */
int main(int argc, char **argv) {
  enum { SKIPPED = 77 };
  target = argc > 1 ? argv[1] : NULL;
  if (target && !runs_here(target)) return SKIPPED;
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products_are_made_by_the_code_that_is_asked_for),
      cmocka_unit_test(test_products_equal_a_triple_loop),
      cmocka_unit_test(test_strides_of_powers_of_two_change_no_product),
      cmocka_unit_test(test_packing_multiplies_by_the_factor),
      cmocka_unit_test(test_a_row_of_a_product_does_not_depend_on_its_neighbours),
      cmocka_unit_test(test_norm_equals_its_formula),
      cmocka_unit_test(test_norm_vjp_equals_the_jacobian_row_by_row),
      cmocka_unit_test(test_activations_equal_their_formulas),
      cmocka_unit_test(test_gelu_is_exact_to_a_few_units_everywhere),
      cmocka_unit_test(test_activations_of_what_is_no_number_are_none),
      cmocka_unit_test(test_key_norm_vjp_equals_the_jacobian),
      cmocka_unit_test(test_keys_of_zero_queries_are_zero_and_finite),
      cmocka_unit_test(test_gathers_and_scatters_move_rows),
      cmocka_unit_test(test_cross_entropy_equals_its_formula),
      cmocka_unit_test(test_a_logit_that_is_not_a_number_makes_the_loss_none),
      cmocka_unit_test(test_the_first_of_equal_logits_is_the_prediction),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
