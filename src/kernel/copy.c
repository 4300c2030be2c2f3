#include "kernel/copy.h"
#include <math.h>
#include <string.h>

/* Reals of a piece: it is read from memory to be looked at and is still in the cache when it is copied. */
enum { PIECE = 1 << 14 };

static int64_t piece_size(int64_t n, int64_t first) { return n - first < PIECE ? n - first : PIECE; }

/* Zero times a finite number is 0, and times any other NaN: one sum tells, without a branch. */
static bool is_finite(int64_t n, const real *x) {
  real sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < n; i++) sum += 0 * x[i];
  return sum == 0;
}

bool rf_copy_finite(int64_t n, const real *from, real *to) {
  int64_t bad = 0;
#pragma omp parallel for schedule(static) reduction(+ : bad)
  for (int64_t i = 0; i < n; i += PIECE) {
    const int64_t count = piece_size(n, i);
    bad += !is_finite(count, from + i);
    if (to) memcpy(to + i, from + i, (size_t)count * sizeof(real));
  }
  return bad == 0;
}

void rf_fill_zero(int64_t n, real *to) {
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; i += PIECE) memset(to + i, 0, (size_t)piece_size(n, i) * sizeof(real));
}
