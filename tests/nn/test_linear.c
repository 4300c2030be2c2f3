/* Weight and bias gradients over more tiles than one, against plain loops. */
#include "nn/linear.h"
#include "support/numbers.h"

enum { ROWS = 50, OUT = 131, IN = 530, LDDY = 135, LDX = 533, LDW = 531 };

static void test_weight_and_bias_gradients_equal_plain_loops(void **state) {
  (void)state;
  dice d = {.seed = 601};
  real *dy = dice_reals(&d, ROWS * LDDY, 1), *x = dice_reals(&d, ROWS * LDX, 1), *dw = dice_reals(&d, OUT * LDW, 1);
  real *db = dice_reals(&d, LDDY, 1);
  double *dw_expected = NEW(double, OUT *LDW), *db_expected = NEW(double, LDDY);
  for (int i = 0; i < OUT * LDW; i++) dw_expected[i] = (double)dw[i];
  for (int i = 0; i < LDDY; i++) db_expected[i] = (double)db[i];
  for (int r = 0; r < ROWS; r++)
    for (int o = 0; o < OUT; o++) {
      db_expected[o] += (double)dy[r * LDDY + o];
      for (int i = 0; i < IN; i++) dw_expected[o * LDW + i] += (double)dy[r * LDDY + o] * (double)x[r * LDX + i];
    }
  rf_weight_gradient(ROWS, OUT, IN, dy, LDDY, x, LDX, dw, LDW);
  rf_bias_gradient(ROWS, OUT, dy, LDDY, db);
  assert_close("dw", relative_error(OUT * LDW, dw, dw_expected), 30 * (double)RF_REAL_EPSILON);
  assert_close("db", relative_error(LDDY, db, db_expected), 30 * (double)RF_REAL_EPSILON);
  void *all[] = {dy, x, dw, db, dw_expected, db_expected};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void test_parts_of_tiles_are_summed_in_order(void **state) {
  (void)state;
  enum { TILES = 9, N = 37, LD = 40 };
  dice d = {.seed = 602};
  real *parts = dice_reals(&d, TILES * LD, 1), total[N], expected[N];
  for (int j = 0; j < N; j++) total[j] = expected[j] = R_(0.5);
  for (int tile = 0; tile < TILES; tile++)
    for (int j = 0; j < N; j++) expected[j] += parts[tile * LD + j];
  rf_sum_tiles(TILES, N, parts, LD, total);
  assert_same_bits("total", N, total, expected);
  free(parts);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_weight_and_bias_gradients_equal_plain_loops),
      cmocka_unit_test(test_parts_of_tiles_are_summed_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
