/* Products in bfloat16 against plain loops in double over the rounded numbers; a model trained with them, against one
 * in float. */
#include "kernel/bf16.h"
#include "support/model_case.h"
#include "support/products.h"
#include <omp.h>

static bool hindered(void) { return rf_precision_obstacle(RF_PRECISION_BF16) != NULL; }

static double rounded(real x) { return (double)rf_bf16_value(rf_bf16_of(x)); }

/* Products of bfloat16 numbers are exact in float: what is left is the rounding of their sum. */
static void multiply_whole(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  const rf_packed packed = pack_all(RF_PRECISION_BF16, k, n, 1, b, false);
  rf_gemm_packed(m, n, k, a, &packed, add, c);
  free(packed.data);
}

static void multiply_negative(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  const rf_packed packed = pack_all(RF_PRECISION_BF16, k, n, -1, b, false);
  rf_gemm_packed(m, n, k, a, &packed, add, c);
  free(packed.data);
}

static void multiply_negative_transposed(int64_t m, int64_t n, int64_t k, rf_view a, rf_view b, bool add, rf_matrix c) {
  const rf_packed packed = pack_all(RF_PRECISION_BF16, k, n, -1, b, true);
  rf_gemm_packed(m, n, k, a, &packed, add, c);
  free(packed.data);
}

static const product_case plain = {"bf16", multiply_negative, false, false, -1, rounded};
static const product_case transposed = {"bf16, transposed", multiply_negative_transposed, false, true, -1, rounded};

static void test_products_in_bf16_equal_a_triple_loop_over_rounded_numbers(void **state) {
  (void)state;
  if (hindered()) skip();
  static const int64_t rows[] = {1, 2, 3, 5, 13, 64, 129}, columns[] = {1, 15, 32, 63, 64, 65, 129};
  static const int64_t depths[] = {1, 7, 64, 513, 1026};
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++)
    for (size_t c = 0; c < sizeof columns / sizeof *columns; c++)
      check_product((r + c) % 2 == 0 ? &transposed : &plain, rows[r], columns[c], depths[(r + c) % 5],
                    (r + c) % 3 == 0);
  check_product(&transposed, 128, 256, 1024, false);
  check_product(&plain, 3, 5, 0, false);
  check_product(&plain, 3, 5, 0, true);
}

static void test_a_row_of_a_product_in_bf16_does_not_depend_on_its_neighbours(void **state) {
  (void)state;
  if (hindered()) skip();
  static const int64_t columns[] = {5, 64, 64 + 16, 128 + 33};
  for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
    check_rows_of_packed(RF_PRECISION_BF16, multiply_whole, columns[i], 3 + i);
}

static void test_what_is_not_a_number_stays_so(void **state) {
  (void)state;
  if (hindered()) skip();
  enum { M = 3, K = 9, N = 5 };
  dice d = {.seed = 5};
  real *a = dice_reals(&d, M * K, 1), *b = dice_reals(&d, K * N, 1), c[M * N];
  a[K + 4] = NAN;
  b[6 * N + 2] = INFINITY;
  const rf_packed packed = pack_all(RF_PRECISION_BF16, K, N, 1, (rf_view){b, N}, false);
  rf_gemm_packed(M, N, K, (rf_view){a, K}, &packed, false, (rf_matrix){c, N});
  for (int64_t i = 0; i < M; i++)
    for (int64_t j = 0; j < N; j++) {
      assert_int_equal(isnan(c[i * N + j]) != 0, i == 1);
      assert_int_equal(isinf(c[i * N + j]) != 0, i != 1 && j == 2);
    }
  free(a);
  free(b);
  free(packed.data);
}

static rf_config model_config(rf_precision precision, rf_residual residual) {
  rf_config c = small_config();
  c.model.precision = precision;
  c.model.residual = residual;
  c.model.n_layers = 3;
  c.model.d_model = 32;
  c.model.d_ff = 90;
  c.model.n_attention = 1;
  c.model.attention[0] = RF_ATTENTION_LOCAL; /* a hash may fall on the other side of a rounding */
  c.model.positions =
      (rf_positions_config){.kind = RF_POSITIONS_AXIAL, .n_axes = 2, .shape = {16, 10}, .dims = {16, 16}};
  return c;
}

/* A rounded number is off by 2^-9 of itself at most, a product by as much on average, and a gradient went through some
 * 20 of them: seen is 0.9 %. Other than in float it is, or nothing was rounded. */
static void test_gradients_in_bf16_are_near_those_in_float(void **state) {
  (void)state;
  if (hindered()) skip();
  for (int residual = RF_RESIDUAL_REVERSIBLE; residual <= RF_RESIDUAL_ORDINARY; residual++) {
    rf_loss loss[2];
    real *gradients[2];
    int64_t size = 0;
    for (int precision = RF_PRECISION_FULL; precision <= RF_PRECISION_BF16; precision++) {
      const rf_config config = model_config((rf_precision)precision, (rf_residual)residual);
      model_case *c = model_case_create(&config, 2, 160, false, 11);
      gradients[precision] = model_case_gradients(c, 1 / (double)c->counted, &loss[precision]);
      size = model_case_size(c);
      model_case_destroy(c);
    }
    const double apart = relative_error_real(size, gradients[1], gradients[0]);
    assert_close("loss", fabs(loss[1].sum / loss[0].sum - 1), 0x1p-9);
    assert_close("gradients", apart, 8 * 0x1p-9);
    assert_true(apart > 0x1p-16);
    free(gradients[0]);
    free(gradients[1]);
  }
}

static void test_a_step_in_bf16_repeats_to_the_bit_and_takes_no_more_memory(void **state) {
  (void)state;
  if (hindered()) skip();
  const int before = omp_get_max_threads();
  const rf_config config = model_config(RF_PRECISION_BF16, RF_RESIDUAL_REVERSIBLE);
  model_case *c = model_case_create(&config, 2, 160, true, 12);
  rf_loss loss, other;
  omp_set_num_threads(1);
  real *one = model_case_gradients(c, 1, &loss);
  const size_t used = rf_model_scratch_used(c->model), growths = rf_model_scratch_growths(c->model);
  real *again = model_case_gradients(c, 1, &other);
  assert_same_bits("again", model_case_size(c), again, one);
  assert_int_equal(rf_model_scratch_used(c->model), used);
  assert_int_equal(rf_model_scratch_growths(c->model), growths);
  omp_set_num_threads(3);
  real *three = model_case_gradients(c, 1, &other);
  assert_same_bits("threads", model_case_size(c), three, one);
  assert_memory_equal(&loss, &other, sizeof loss);
  omp_set_num_threads(before);
  free(one);
  free(again);
  free(three);
  model_case_destroy(c);
}

static void test_a_model_is_refused_where_its_products_cannot_be_made(void **state) {
  (void)state;
  if (!hindered()) skip();
  const rf_config config = model_config(RF_PRECISION_BF16, RF_RESIDUAL_REVERSIBLE);
  rf_model *model;
  assert_int_equal(rf_model_create(&config, NULL, &model), RF_BAD_CONFIG);
  assert_null(model);
  assert_non_null(strstr(rf_error_message(), "model.precision: found bf16"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_products_in_bf16_equal_a_triple_loop_over_rounded_numbers),
      cmocka_unit_test(test_a_row_of_a_product_in_bf16_does_not_depend_on_its_neighbours),
      cmocka_unit_test(test_what_is_not_a_number_stays_so),
      cmocka_unit_test(test_gradients_in_bf16_are_near_those_in_float),
      cmocka_unit_test(test_a_step_in_bf16_repeats_to_the_bit_and_takes_no_more_memory),
      cmocka_unit_test(test_a_model_is_refused_where_its_products_cannot_be_made),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
