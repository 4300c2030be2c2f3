#include "kernel/peak.h"
#include "base/clock.h"
#include "kernel/parallel.h"
#include "reformer/real.h"
#include <stddef.h>
#include <stdint.h>

/* As many independent sums as hide the latency of a multiply-add on two pipes, of the widest vectors there are; the
 * compiler keeps them in registers. */
#ifdef __AVX512F__
enum { BYTES = 64, SUMS = 24 };
#elif defined(__AVX__)
enum { BYTES = 32, SUMS = 12 };
#else
enum { BYTES = 16, SUMS = 12 };
#endif

typedef real vector __attribute__((vector_size(BYTES)));

enum { ROUNDS = 4096, RUNS = 5 };

static vector multiply_add(vector seed) {
  vector sums[SUMS];
  const vector factor = seed * R_(1e-9) + R_(0.999);
  for (int i = 0; i < SUMS; i++) sums[i] = seed + (real)i;
  for (int round = 0; round < ROUNDS; round++) {
#pragma GCC unroll 32
    for (int i = 0; i < SUMS; i++) sums[i] = sums[i] * factor + seed;
  }
  vector total = seed;
  for (int i = 0; i < SUMS; i++) total += sums[i];
  return total;
}

double rf_peak_rate(double seconds) {
  const size_t lanes = BYTES / sizeof(real);
  const double per_call = 2.0 * (double)((int64_t)ROUNDS * SUMS * (int64_t)lanes);
  double best = 0;
  for (int run = 0; run < RUNS; run++) {
    double rate = 0;
#pragma omp parallel reduction(+ : rate)
    {
      vector x = {(real)(rf_thread() + 1)};
      const double start = rf_clock_seconds();
      double now = start;
      long calls = 0;
      while (now - start < seconds) {
        for (int i = 0; i < 16; i++) x = multiply_add(x * R_(1e-3));
        calls += 16;
        now = rf_clock_seconds();
      }
      __asm__ volatile("" : : "m"(x)); /* the result counts as used */
      rate = (double)calls * per_call / (now - start);
    }
    best = rate > best ? rate : best;
  }
  return best;
}
