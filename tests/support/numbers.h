/* What many tests need: random numbers from a seed, relative errors, memory that ends the test when it runs out. */
#ifndef TESTS_SUPPORT_NUMBERS_H
#define TESTS_SUPPORT_NUMBERS_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "reformer/error.h"
#include "reformer/real.h"
#include "reformer/rng.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define assert_ok(call)                                                                                                \
  do {                                                                                                                 \
    if ((call) != RF_OK) fail_msg("%s: %s (%s)", #call, rf_error_message(), rf_error_trace());                         \
  } while (0)

static inline void *test_alloc(size_t count, size_t size) {
  void *p = calloc(count > 0 ? count : 1, size);
  if (!p) fail_msg("out of memory: %zu x %zu bytes", count, size);
  return p;
}

#define NEW(type, count) ((type *)test_alloc((size_t)(count), sizeof(type)))

/* A stream of random numbers; the seed is what a failure must print. */
typedef struct dice {
  uint64_t seed, at;
} dice;

static inline double dice_normal(dice *d) {
  const rf_draw draw = {.seed = d->seed, .purpose = RF_RNG_TASK};
  return rf_draw_normal(&draw, d->at++);
}

static inline double dice_uniform(dice *d) {
  const rf_draw draw = {.seed = d->seed, .purpose = RF_RNG_SAMPLE};
  return rf_draw_uniform(&draw, d->at++);
}

/* 0 .. n - 1 */
static inline int64_t dice_below(dice *d, int64_t n) {
  const int64_t i = (int64_t)(dice_uniform(d) * (double)n);
  return i < n ? i : n - 1;
}

static inline void dice_fill(dice *d, int64_t n, double mean, double deviation, real *x) {
  for (int64_t i = 0; i < n; i++) x[i] = (real)(mean + deviation * dice_normal(d));
}

static inline real *dice_reals(dice *d, int64_t n, double deviation) {
  real *x = NEW(real, n);
  dice_fill(d, n, 0, deviation, x);
  return x;
}

/* |a - b| / |b|, 2-norms; infinite where a number is not finite. */
static inline double relative_error(int64_t n, const real *a, const double *b) {
  double difference = 0, reference = 0;
  for (int64_t i = 0; i < n; i++) {
    difference += ((double)a[i] - b[i]) * ((double)a[i] - b[i]);
    reference += b[i] * b[i];
  }
  if (!(difference < INFINITY)) return INFINITY;
  return reference > 0 ? sqrt(difference / reference) : sqrt(difference);
}

static inline double relative_error_real(int64_t n, const real *a, const real *b) {
  double difference = 0, reference = 0;
  for (int64_t i = 0; i < n; i++) {
    difference += ((double)a[i] - (double)b[i]) * ((double)a[i] - (double)b[i]);
    reference += (double)b[i] * (double)b[i];
  }
  if (!(difference < INFINITY)) return INFINITY;
  return reference > 0 ? sqrt(difference / reference) : sqrt(difference);
}

static inline void assert_close(const char *what, double error, double tolerance) {
  if (!(error <= tolerance)) fail_msg("%s: relative error %.3g, allowed %.3g", what, error, tolerance);
}

static inline void assert_same_bits(const char *what, int64_t n, const real *a, const real *b) {
  for (int64_t i = 0; i < n; i++)
    if (memcmp(&a[i], &b[i], sizeof(real)) != 0)
      fail_msg("%s: element %lld of %lld is %.17g, expected the bits of %.17g", what, (long long)i, (long long)n,
               (double)a[i], (double)b[i]);
}

#endif
