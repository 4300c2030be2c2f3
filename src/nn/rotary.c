#include "nn/rotary.h"
#include <math.h>

/* The angle of each row follows from that of the row before by one complex product, in double; every call starts from
 * the exact angle of its first row, and calls are tiles of at most RF_TILE rows, so the error stays below 1e-14. */
void rf_rotary(int64_t rows, int64_t heads, int64_t d_head, int64_t first, int direction, real *x, int64_t ld) {
  const int64_t half = d_head / 2;
  double cosine[RF_ROTARY_MAX_HALF], sine[RF_ROTARY_MAX_HALF], step_c[RF_ROTARY_MAX_HALF], step_s[RF_ROTARY_MAX_HALF];
  for (int64_t i = 0; i < half; i++) {
    const double frequency = direction * pow(10000.0, -2.0 * (double)i / (double)d_head);
    cosine[i] = cos((double)first * frequency);
    sine[i] = sin((double)first * frequency);
    step_c[i] = cos(frequency);
    step_s[i] = sin(frequency);
  }
  for (int64_t row = 0; row < rows; row++, x += ld) {
    for (int64_t h = 0; h < heads; h++) {
      real *restrict v = x + h * d_head;
      for (int64_t i = 0; i < half; i++) {
        const real c = (real)cosine[i], s = (real)sine[i], a = v[2 * i], b = v[2 * i + 1];
        v[2 * i] = a * c - b * s;
        v[2 * i + 1] = a * s + b * c;
      }
    }
    for (int64_t i = 0; i < half; i++) {
      const double c = cosine[i] * step_c[i] - sine[i] * step_s[i];
      sine[i] = sine[i] * step_c[i] + cosine[i] * step_s[i];
      cosine[i] = c;
    }
  }
}
