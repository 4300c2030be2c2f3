#include "nn/linear.h"
#include "base/integers.h"

enum { TILE_OUT = 64, TILE_IN = 256 };

static rf_status pack_weight(rf_arena *arena, rf_precision precision, int64_t k, int64_t n, real factor, rf_view b,
                             bool transposed, rf_packed *packed) {
  packed->precision = precision;
  RF_TRY(rf_arena_take(arena, rf_packed_bytes(precision, k, n), 1, &packed->data));
  if (rf_arena_counts(arena)) return RF_OK;
#pragma omp parallel for schedule(static)
  for (int64_t panel = 0; panel < rf_gemm_panels(n); panel++) rf_pack_panel(k, n, factor, b, transposed, panel, packed);
  return RF_OK;
}

rf_status rf_weight_pack_forward(rf_arena *arena, rf_precision precision, int64_t out, int64_t in, real factor,
                                 rf_view w, rf_packed *packed) {
  return pack_weight(arena, precision, in, out, factor, w, true, packed);
}

rf_status rf_weight_pack_backward(rf_arena *arena, rf_precision precision, int64_t out, int64_t in, rf_view w,
                                  rf_packed *packed) {
  return pack_weight(arena, precision, out, in, 1, w, false, packed);
}

void rf_weight_gradient(int64_t rows, int64_t out, int64_t in, rf_view dy, rf_view x, rf_matrix dw) {
  const int64_t tiles_out = rf_ceil_div(out, TILE_OUT), tiles_in = rf_ceil_div(in, TILE_IN);
#pragma omp parallel for schedule(dynamic)
  for (int64_t tile = 0; tile < tiles_out * tiles_in; tile++) {
    const int64_t i = tile / tiles_in * TILE_OUT, j = tile % tiles_in * TILE_IN;
    rf_gemm_tn(rf_min(TILE_OUT, out - i), rf_min(TILE_IN, in - j), rows, (rf_view){dy.data + i, dy.ld},
               (rf_view){x.data + j, x.ld}, true, (rf_matrix){dw.data + i * dw.ld + j, dw.ld});
  }
}

/* db[n] += the sums of n <= TILE_OUT columns, held in registers where the tile is full. */
static void sum_columns(int64_t rows, int64_t n, const real *restrict dy, int64_t lddy, real *restrict db) {
  real sum[TILE_OUT] = {0};
  if (n == TILE_OUT)
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < TILE_OUT; j++) sum[j] += dy[i * lddy + j];
  else
    for (int64_t i = 0; i < rows; i++)
      for (int64_t j = 0; j < n; j++) sum[j] += dy[i * lddy + j];
  for (int64_t j = 0; j < n; j++) db[j] += sum[j];
}

void rf_bias_gradient(int64_t rows, int64_t n, rf_view dy, real *db) {
  const int64_t tiles = rf_ceil_div(n, TILE_OUT);
#pragma omp parallel for schedule(static)
  for (int64_t tile = 0; tile < tiles; tile++) {
    const int64_t first = tile * TILE_OUT, end = rf_min(first + TILE_OUT, n);
    for (int64_t row = 0; row < rows; row += RF_ROWS_OF_SUM)
      sum_columns(rf_min(RF_ROWS_OF_SUM, rows - row), end - first, dy.data + row * dy.ld + first, dy.ld, db + first);
  }
}

void rf_sum_tiles(int64_t tiles, int64_t n, const real *parts, int64_t ld, real *total) {
  for (int64_t tile = 0; tile < tiles; tile++) {
#pragma omp simd
    for (int64_t j = 0; j < n; j++) total[j] += parts[tile * ld + j];
  }
}
