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
  rf_weight_gradient(ROWS, OUT, IN, (rf_view){dy, LDDY}, (rf_view){x, LDX}, (rf_matrix){dw, LDW});
  rf_bias_gradient(ROWS, OUT, (rf_view){dy, LDDY}, db);
  assert_close("dw", relative_error(OUT * LDW, dw, dw_expected), 30 * (double)RF_REAL_EPSILON);
  assert_close("db", relative_error(LDDY, db, db_expected), 30 * (double)RF_REAL_EPSILON);
  void *all[] = {dy, x, dw, db, dw_expected, db_expected};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

/* Super-blocks grow with the threads; gradients must not. */
static void test_gradients_have_the_same_bits_in_any_whole_pieces_of_rows(void **state) {
  (void)state;
  enum { PIECE = RF_ROWS_OF_SUM, ALL = 2 * PIECE + 77, N_OUT = 69, N_IN = 70 };
  dice d = {.seed = 603};
  real *dy = dice_reals(&d, ALL * N_OUT, 1), *x = dice_reals(&d, ALL * N_IN, 1);
  real *dw = NEW(real, N_OUT * N_IN), *db = NEW(real, N_OUT), *dw_parts = NEW(real, N_OUT * N_IN);
  real *db_parts = NEW(real, N_OUT);
  rf_weight_gradient(ALL, N_OUT, N_IN, (rf_view){dy, N_OUT}, (rf_view){x, N_IN}, (rf_matrix){dw, N_IN});
  rf_bias_gradient(ALL, N_OUT, (rf_view){dy, N_OUT}, db);
  for (int64_t row = 0; row < ALL; row += PIECE) {
    const int64_t rows = ALL - row < PIECE ? ALL - row : PIECE;
    const rf_view dy_part = {dy + row * N_OUT, N_OUT}, x_part = {x + row * N_IN, N_IN};
    rf_weight_gradient(rows, N_OUT, N_IN, dy_part, x_part, (rf_matrix){dw_parts, N_IN});
    rf_bias_gradient(rows, N_OUT, dy_part, db_parts);
  }
  assert_same_bits("dw", N_OUT * N_IN, dw_parts, dw);
  assert_same_bits("db", N_OUT, db_parts, db);
  assert_true(rf_superblock() % PIECE == 0 && rf_superblock() >= rf_threads() * RF_TILE);
  real *all[] = {dy, x, dw, db, dw_parts, db_parts};
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
      cmocka_unit_test(test_gradients_have_the_same_bits_in_any_whole_pieces_of_rows),
      cmocka_unit_test(test_parts_of_tiles_are_summed_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
