#include "nn/rotary.h"
#include <math.h>

/* Pairs of coordinates that are turned together: their angles stay in registers and cache. */
enum { PAIRS = 128 };

/* Pairs [first_pair, first_pair + n) of every head. The angle of each row follows from that of the row before by one
 * complex product, in double; every call starts from the exact angle of its first row, and calls are tiles of at most
 * RF_TILE rows, so the error stays below 1e-13. */
static void rotate_pairs(int64_t rows, int64_t heads, int64_t d_head, int64_t first, int direction, int64_t first_pair,
                         int64_t n, rf_matrix x) {
  double cosine[PAIRS], sine[PAIRS], step_c[PAIRS], step_s[PAIRS];
  for (int64_t i = 0; i < n; i++) {
    const double frequency = direction * pow(10000.0, -2.0 * (double)(first_pair + i) / (double)d_head);
    cosine[i] = cos((double)first * frequency);
    sine[i] = sin((double)first * frequency);
    step_c[i] = cos(frequency);
    step_s[i] = sin(frequency);
  }
  for (int64_t row = 0; row < rows; row++, x.data += x.ld) {
    for (int64_t h = 0; h < heads; h++) {
      real *restrict v = x.data + h * d_head + 2 * first_pair;
      for (int64_t i = 0; i < n; i++) {
        const real c = (real)cosine[i], s = (real)sine[i], a = v[2 * i], b = v[2 * i + 1];
        v[2 * i] = a * c - b * s;
        v[2 * i + 1] = a * s + b * c;
      }
    }
    for (int64_t i = 0; i < n; i++) {
      const double c = cosine[i] * step_c[i] - sine[i] * step_s[i];
      sine[i] = sine[i] * step_c[i] + cosine[i] * step_s[i];
      cosine[i] = c;
    }
  }
}

void rf_rotary(int64_t rows, int64_t heads, int64_t d_head, int64_t first, int direction, rf_matrix x) {
  const int64_t half = d_head / 2;
  for (int64_t pair = 0; pair < half; pair += PAIRS)
    rotate_pairs(rows, heads, d_head, first, direction, pair, half - pair < PAIRS ? half - pair : PAIRS, x);
}
