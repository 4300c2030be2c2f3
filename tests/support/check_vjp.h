/* Gradients against central differences. For the double build only. */
#ifndef TESTS_SUPPORT_CHECK_VJP_H
#define TESTS_SUPPORT_CHECK_VJP_H

#include "support/sublayer_case.h"

/* A scalar function of everything that a test may nudge. */
typedef double (*scalar_function)(void *context);

/* Five points: the error of the formula is h^4 f'''''/30, below 1e-12 here, and that of the subtraction about
 * 1e-16 |f| / h = 1e-12; so 1e-7 leaves room for sums that cancel. Functions with kinks (relu) take a step so small
 * that no kink lies inside it. */
#define SMOOTH_STEP 1e-4
#define KINKED_STEP 1e-7
#define SMOOTH_TOLERANCE 1e-7
#define KINKED_TOLERANCE 1e-6

static inline double central_difference(scalar_function f, void *context, int64_t n, real *x, const real *direction,
                                        double h) {
  static const double offset[] = {2, 1, -1, -2}, weight[] = {-1, 8, -8, 1};
  real *kept = NEW(real, n);
  memcpy(kept, x, (size_t)n * sizeof *kept);
  double sum = 0;
  for (int k = 0; k < 4; k++) {
    for (int64_t i = 0; i < n; i++) x[i] = kept[i] + (real)(offset[k] * h) * direction[i];
    sum += weight[k] * f(context);
  }
  memcpy(x, kept, (size_t)n * sizeof *kept);
  free(kept);
  return sum / (12 * h);
}

static inline void check_direction(const char *what, uint64_t seed, scalar_function f, void *context, int64_t n,
                                   real *x, const real *gradient, const real *direction, double h, double tolerance) {
  double dot = 0, squares = 0, length = 0;
  for (int64_t i = 0; i < n; i++) {
    dot += (double)gradient[i] * (double)direction[i];
    squares += (double)gradient[i] * (double)gradient[i];
    length += (double)direction[i] * (double)direction[i];
  }
  const double numeric = central_difference(f, context, n, x, direction, h);
  /* what a direction of this length gives on average: a smaller result has cancelled */
  const double typical = sqrt(squares * length / (double)n);
  const double scale = fmax(fmax(fabs(dot), fabs(numeric)), fmax(typical, 1e-3));
  if (!(fabs(dot - numeric) <= tolerance * scale))
    fail_msg("%s (seed %llu): the gradient gives %.12g, differences %.12g; relative error %.3g, allowed %.3g", what,
             (unsigned long long)seed, dot, numeric, fabs(dot - numeric) / scale, tolerance);
}

/* gradient: of f with respect to x[n]. Some random directions, some single coordinates. */
static inline void check_gradient(const char *what, dice *d, scalar_function f, void *context, int64_t n, real *x,
                                  const real *gradient, bool smooth) {
  const double h = smooth ? SMOOTH_STEP : KINKED_STEP, tolerance = smooth ? SMOOTH_TOLERANCE : KINKED_TOLERANCE;
  real *direction = NEW(real, n);
  for (int i = 0; i < 2; i++) {
    dice_fill(d, n, 0, 1, direction);
    check_direction(what, d->seed, f, context, n, x, gradient, direction, h, tolerance);
  }
  for (int i = 0; i < 3; i++) {
    memset(direction, 0, (size_t)n * sizeof *direction);
    direction[dice_below(d, n)] = 1;
    check_direction(what, d->seed, f, context, n, x, gradient, direction, h, tolerance);
  }
  free(direction);
}

/* --- Sublayers -------------------------------------------------------------------------------------- */

typedef struct sublayer_probe {
  sublayer_case *c;
  real *x, *dy;
} sublayer_probe;

/* <dy, F(x)> at the buckets that were saved. */
static inline double probe_value(void *context) {
  const sublayer_probe *p = context;
  const int64_t n = (int64_t)p->c->values;
  real *y = NEW(real, n);
  sublayer_forward_at(&p->c->sublayer, &p->c->call, p->c->params, p->c->block.size, n, p->x, 1, y, p->c->saved);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)p->dy[i] * (double)y[i];
  free(y);
  return sum;
}

/* apply, then apply_vjp against differences for the input and every tensor; and what both do to y. */
static inline void check_sublayer(const char *what, sublayer_case *c, dice *d, bool smooth) {
  const int64_t n = (int64_t)c->values;
  const rf_sublayer_ops *ops = c->sublayer.ops;
  real *x = dice_reals(d, n, 1), *dy = dice_reals(d, n, 1), *dx0 = dice_reals(d, n, 1), *y0 = dice_reals(d, n, 1);
  real *y = NEW(real, n), *dx = NEW(real, n), *dparams = NEW(real, c->block.size);
  memcpy(y, y0, (size_t)n * sizeof *y);
  memcpy(dx, dx0, (size_t)n * sizeof *dx);
  for (int64_t i = 0; i < c->block.size; i++) dparams[i] = 1;
  assert_ok(ops->apply(&c->sublayer, &c->call, c->params, x, 1, y, c->saved));
  const rf_sublayer_vjp task = {c->params, x, dy, y, dx, dparams, c->saved};
  assert_ok(ops->apply_vjp(&c->sublayer, &c->call, &task));
  /* added to and taken off again: y as before */
  const double back = relative_error_real(n, y, y0);
  if (!(back <= 100 * (double)RF_REAL_EPSILON))
    fail_msg("%s (seed %llu): y came back with relative error %.3g", what, (unsigned long long)d->seed, back);
  for (int64_t i = 0; i < n; i++) dx[i] -= dx0[i];
  for (int64_t i = 0; i < c->block.size; i++) dparams[i] -= 1;

  sublayer_probe probe = {c, x, dy};
  char name[256];
  snprintf(name, sizeof name, "%s: x", what);
  check_gradient(name, d, probe_value, &probe, n, x, dx, smooth);
  for (int t = 0; t < c->block.n_tensors; t++) {
    const rf_tensor *tensor = &c->block.tensors[t];
    snprintf(name, sizeof name, "%s: %s", what, tensor->name);
    check_gradient(name, d, probe_value, &probe, rf_tensor_count(tensor), c->params + tensor->offset,
                   dparams + tensor->offset, smooth);
  }
  void *all[] = {x, dy, dx0, y0, y, dx, dparams};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

#endif
