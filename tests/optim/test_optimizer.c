#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "reformer/optimizer.h"

#include "small_layout.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <malloc.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

static double norm_of(const rf_store *store) {
  double norm = -1;
  assert_int_equal(rf_gradient_norm(store, &norm), RF_OK);
  return norm;
}

static const rf_optimizer_config adam_config = {
    .kind = RF_ADAM, .lr = 1e-2, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
static const rf_optimizer_config adafactor_config = {.kind = RF_ADAFACTOR,
                                                     .lr = 1e-2,
                                                     .weight_decay = 0.1,
                                                     .decay_exponent = -0.8,
                                                     .clip_threshold = 1,
                                                     .factor_eps = 1e-30,
                                                     .scale_eps = 1e-3,
                                                     .scale_parameter = true};

/* --- naive twins: straight from the papers, in double, one tensor, whole matrices ---------------- */

typedef struct naive {
  int64_t rows, columns; /* 1 row: a vector */
  double *x, *m, *v;     /* [rows * columns] */
  double *r, *c;         /* Adafactor: row and column sums */
} naive;

static naive naive_create(int64_t rows, int64_t columns, const real *x) {
  size_t n = (size_t)(rows * columns);
  naive twin = {rows,
                columns,
                calloc(n, sizeof(double)),
                calloc(n, sizeof(double)),
                calloc(n, sizeof(double)),
                calloc((size_t)rows, sizeof(double)),
                calloc((size_t)columns, sizeof(double))};
  for (size_t i = 0; i < n; i++) twin.x[i] = (double)x[i];
  return twin;
}

static void naive_destroy(naive *twin) {
  free(twin->x);
  free(twin->m);
  free(twin->v);
  free(twin->r);
  free(twin->c);
}

/* Kingma and Ba, Algorithm 1; decay of Loshchilov and Hutter, Algorithm 2. */
static void naive_adam(naive *t, const rf_optimizer_config *o, int64_t step, double rate, double scale, const real *g) {
  double decay = t->rows > 1 ? o->weight_decay : 0;
  for (int64_t i = 0; i < t->rows * t->columns; i++) {
    double gi = scale * (double)g[i];
    t->m[i] = o->beta1 * t->m[i] + (1 - o->beta1) * gi;
    t->v[i] = o->beta2 * t->v[i] + (1 - o->beta2) * gi * gi;
    double m_hat = t->m[i] / (1 - pow(o->beta1, (double)step)), v_hat = t->v[i] / (1 - pow(o->beta2, (double)step));
    t->x[i] -= rate * (m_hat / (sqrt(v_hat) + o->eps) + decay * t->x[i]);
  }
}

static double rms(int64_t n, const double *x) {
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += x[i] * x[i];
  return sqrt(sum / (double)n);
}

/* Shazeer and Stern, Algorithms 4 (matrices) and 5 (vectors), with sums R, C and V = R C / 1^T R. */
static void naive_adafactor(naive *t, const rf_optimizer_config *o, int64_t step, double rate, double scale,
                            const real *gradient) {
  const int64_t rows = t->rows, columns = t->columns, n = rows * columns;
  const double beta2 = 1 - pow((double)step, o->decay_exponent);
  double *u = calloc((size_t)n, sizeof *u), *g = calloc((size_t)n, sizeof *g);
  for (int64_t i = 0; i < n; i++) g[i] = scale * (double)gradient[i];
  if (rows > 1) {
    double total = 0;
    for (int64_t i = 0; i < rows; i++) {
      double sum = 0;
      for (int64_t j = 0; j < columns; j++) sum += g[i * columns + j] * g[i * columns + j] + o->factor_eps;
      t->r[i] = beta2 * t->r[i] + (1 - beta2) * sum;
      total += t->r[i];
    }
    for (int64_t j = 0; j < columns; j++) {
      double sum = 0;
      for (int64_t i = 0; i < rows; i++) sum += g[i * columns + j] * g[i * columns + j] + o->factor_eps;
      t->c[j] = beta2 * t->c[j] + (1 - beta2) * sum;
    }
    for (int64_t i = 0; i < n; i++) u[i] = g[i] / sqrt(t->r[i / columns] * t->c[i % columns] / total);
  } else {
    for (int64_t i = 0; i < n; i++) {
      t->v[i] = beta2 * t->v[i] + (1 - beta2) * (g[i] * g[i] + o->factor_eps);
      u[i] = g[i] / sqrt(t->v[i]);
    }
  }
  double alpha = rate;
  if (o->relative_step || o->scale_parameter) alpha *= fmax(o->scale_eps, rms(n, t->x));
  double clip = fmax(1, rms(n, u) / o->clip_threshold), decay = rows > 1 ? alpha * o->weight_decay : 0;
  for (int64_t i = 0; i < n; i++) {
    double change = alpha * u[i] / clip;
    t->m[i] = o->beta1 * t->m[i] + (1 - o->beta1) * change;
    t->x[i] -= (o->beta1 > 0 ? t->m[i] : change) + decay * t->x[i];
  }
  free(u);
  free(g);
}

/* --- against the twins --------------------------------------------------------------------------- */

typedef struct run {
  rf_store *store;
  rf_optimizer *optimizer;
} run;

static run run_create(const rf_optimizer_config *config) {
  run r;
  assert_int_equal(rf_store_create(&small_layout, NULL, &r.store), RF_OK);
  rf_store_initialise(r.store, 1, 0.05);
  assert_int_equal(rf_optimizer_create(config, r.store, &r.optimizer), RF_OK);
  return r;
}

static void run_destroy(run *r) {
  rf_optimizer_destroy(r->optimizer);
  rf_store_destroy(r->store);
}

static void run_step(run *r, uint32_t step, double rate, double scale) {
  for (int b = 0; b < small_layout.n_blocks; b++) small_gradient(b, step, rf_store_shard(r->store, b).gradient);
  assert_int_equal(rf_optimizer_update(r->optimizer, step, rate, scale), RF_OK);
}

enum { STEPS = 12 };

static void assert_follows_twin(const rf_optimizer_config *config, double scale) {
  run r = run_create(config);
  naive twins[SMALL_TENSORS];
  static const int64_t rows[SMALL_TENSORS] = {5, 1, 6, 1, 301, 1}, columns[SMALL_TENSORS] = {7, 6, 4, 9, 203, 40001};
  static const int blocks[SMALL_TENSORS] = {0, 0, 1, 1, 1, 1};
  for (int t = 0; t < SMALL_TENSORS; t++)
    twins[t] = naive_create(rows[t], columns[t], rf_store_shard(r.store, blocks[t]).params + small_tensors[t].offset);
  for (uint32_t step = 1; step <= STEPS; step++) {
    double rate = config->lr / step;
    run_step(&r, step, rate, scale);
    for (int t = 0; t < SMALL_TENSORS; t++) {
      rf_shard shard = rf_store_shard(r.store, blocks[t]);
      const real *g = shard.gradient + small_tensors[t].offset;
      (config->kind == RF_ADAM ? naive_adam : naive_adafactor)(&twins[t], config, step, rate, scale, g);
      for (int64_t i = 0; i < rows[t] * columns[t]; i++) {
        double got = (double)shard.params[small_tensors[t].offset + i], want = twins[t].x[i];
        /* A step rounds x once or twice and an update of a few times `rate` in some eight operations. */
        double allowed = (double)RF_REAL_EPSILON * (step * fabs(want) + 32 * config->lr);
        if (!(fabs(got - want) <= allowed))
          fail_msg("%s[%ld], step %u: %.17g, not %.17g", small_tensors[t].name, (long)i, step, got, want);
      }
    }
  }
  for (int b = 0; b < small_layout.n_blocks; b++) { /* padding stays zero */
    rf_shard shard = rf_store_shard(r.store, b);
    int64_t gap = b == 0 ? 35 : 24;
    assert_true(shard.params[gap] == 0 && shard.params[shard.count - 1] == 0);
  }
  for (int t = 0; t < SMALL_TENSORS; t++) naive_destroy(&twins[t]);
  run_destroy(&r);
}

static void test_adam_follows_the_paper(void **state) {
  (void)state;
  assert_follows_twin(&adam_config, 1);
  rf_optimizer_config plain = adam_config;
  plain.weight_decay = 0;
  assert_follows_twin(&plain, 0.25);
}

static void test_adafactor_follows_the_paper(void **state) {
  (void)state;
  assert_follows_twin(&adafactor_config, 1);
  rf_optimizer_config config = adafactor_config;
  config.clip_threshold = 0.3; /* clips */
  assert_follows_twin(&config, 0.25);
  config.scale_parameter = false;
  config.weight_decay = 0;
  assert_follows_twin(&config, 1);
  config.relative_step = true;
  assert_follows_twin(&config, 1);
  config.beta1 = 0.9;
  config.weight_decay = 0.01;
  assert_follows_twin(&config, 1);
}

/* --- by hand --------------------------------------------------------------------------------------- */

static rf_tensor hand_tensors[] = {{.name = "matrix", .n_dims = 2, .shape = {2, 2}, .offset = 0},
                                   {.name = "vector", .n_dims = 1, .shape = {2}, .offset = 16}};
static rf_block hand_block = {.name = "hand", .n_tensors = 2, .tensors = hand_tensors, .size = 32};
static const rf_layout hand_layout = {.n_blocks = 1, .blocks = &hand_block};

static void assert_real(real got, double want) {
  if (!(fabs((double)got - want) <= 4 * (double)RF_REAL_EPSILON * fabs(want)))
    fail_msg("%.17g is not %.17g", (double)got, want);
}

static void test_adam_gives_values_worked_by_hand(void **state) {
  (void)state;
  rf_optimizer_config config = {.kind = RF_ADAM, .beta1 = 0.9, .beta2 = 0.99, .weight_decay = 0.1};
  rf_store *store;
  rf_optimizer *optimizer;
  assert_int_equal(rf_store_create(&hand_layout, NULL, &store), RF_OK);
  assert_int_equal(rf_optimizer_create(&config, store, &optimizer), RF_OK);
  rf_shard shard = rf_store_shard(store, 0);
  shard.params[0] = shard.params[16] = 1;
  shard.gradient[0] = shard.gradient[16] = R_(0.5);
  shard.gradient[1] = shard.gradient[2] = shard.gradient[3] = shard.gradient[17] = 1; /* eps is 0 here */
  assert_int_equal(rf_optimizer_update(optimizer, 1, 0.1, 1), RF_OK);
  /* m^ = g and v^ = g^2: a step of rate against the sign; the matrix decays by 0.1 * 0.1 * 1 as well */
  assert_real(shard.params[16], 0.9);
  assert_real(shard.params[0], 0.89);
  assert_real(shard.params[1], -0.1);
  shard.gradient[0] = shard.gradient[16] = R_(-0.5);
  assert_int_equal(rf_optimizer_update(optimizer, 2, 0.1, 1), RF_OK);
  /* m = 0.9 * 0.05 - 0.05 = -0.005, m^ = m / 0.19; v = 0.99 * 0.0025 + 0.0025 = 0.004975, v^ = v / 0.0199 = 0.25
   * -m^ / 0.5 * 0.1 = 1 / 190 */
  double got = (double)shard.params[16], want = 0.9 + 1.0 / 190;
  assert_true(fabs(got - want) <= 4 * (double)RF_REAL_EPSILON);
  assert_true(fabs((double)shard.params[0] - (0.89 + 1.0 / 190 - 0.0089)) <= 4 * (double)RF_REAL_EPSILON);
  rf_optimizer_destroy(optimizer);
  rf_store_destroy(store);
}

static void test_adafactor_gives_values_worked_by_hand(void **state) {
  (void)state;
  rf_optimizer_config config = adafactor_config;
  config.relative_step = true;
  config.weight_decay = 0;
  for (int clipped = 0; clipped < 2; clipped++) {
    if (clipped) config.clip_threshold = 0.5;
    rf_store *store;
    rf_optimizer *optimizer;
    assert_int_equal(rf_store_create(&hand_layout, NULL, &store), RF_OK);
    assert_int_equal(rf_optimizer_create(&config, store, &optimizer), RF_OK);
    rf_shard shard = rf_store_shard(store, 0);
    for (int i = 0; i < 4; i++) {
      shard.params[i] = R_(0.5);
      shard.gradient[i] = R_(i + 1);
    }
    shard.gradient[16] = 3;
    shard.gradient[17] = -4;
    assert_int_equal(rf_optimizer_update(optimizer, 1, rf_schedule_rate(&config, 1, 10), 1), RF_OK);
    /* G^2 = [1 4; 9 16]: R = (5, 25), C = (10, 20), V = [50 100; 250 500] / 30, U^2 = G^2 / V = [0.6 1.2; 1.08 0.96],
     * RMS(U) = sqrt(0.96) < 1; alpha = 0.01 * RMS(X) = 0.005 */
    const double u_square[4] = {0.6, 1.2, 1.08, 0.96};
    double divisor = clipped ? sqrt(0.96) / 0.5 : 1;
    for (int i = 0; i < 4; i++) assert_real(shard.params[i], 0.5 - 0.005 * sqrt(u_square[i]) / divisor);
    /* U = (1, -1); X = 0, so alpha = 0.01 * eps_2 */
    divisor = clipped ? 2 : 1;
    assert_real(shard.params[16], -1e-5 / divisor);
    assert_real(shard.params[17], 1e-5 / divisor);
    rf_optimizer_destroy(optimizer);
    rf_store_destroy(store);
  }
}

static void test_rows_without_gradient_stay_where_they_are(void **state) {
  (void)state;
  rf_optimizer_config config = adafactor_config;
  config.weight_decay = 0;
  config.factor_eps = 1e-300; /* not a float */
  rf_store *store;
  rf_optimizer *optimizer;
  assert_int_equal(rf_store_create(&hand_layout, NULL, &store), RF_OK);
  assert_int_equal(rf_optimizer_create(&config, store, &optimizer), RF_OK);
  rf_shard shard = rf_store_shard(store, 0);
  for (int i = 0; i < 4; i++) shard.params[i] = R_(0.5);
  shard.gradient[0] = 1;
  for (int64_t step = 1; step <= 3; step++) assert_int_equal(rf_optimizer_update(optimizer, step, 0.1, 1), RF_OK);
  assert_true(shard.params[0] < R_(0.4));
  for (int i = 1; i < 4; i++) assert_true(shard.params[i] == R_(0.5));
  assert_true(shard.params[16] == 0 && shard.params[17] == 0);
  rf_optimizer_destroy(optimizer);
  rf_store_destroy(store);
}

/* --- what holds for both --------------------------------------------------------------------------- */

static const rf_optimizer_config *const both[] = {&adam_config, &adafactor_config};

static void test_the_result_does_not_depend_on_the_number_of_threads(void **state) {
  (void)state;
  int threads = omp_get_max_threads();
  for (int k = 0; k < 2; k++) {
    omp_set_num_threads(1);
    run one = run_create(both[k]);
    for (uint32_t step = 1; step <= 3; step++) run_step(&one, step, 1e-2, 0.5);
    for (int n = 2; n <= 7; n += 1 + n / 3) {
      omp_set_num_threads(n);
      run many = run_create(both[k]);
      for (uint32_t step = 1; step <= 3; step++) run_step(&many, step, 1e-2, 0.5);
      for (int b = 0; b < small_layout.n_blocks; b++) {
        rf_shard a = rf_store_shard(one.store, b), c = rf_store_shard(many.store, b);
        assert_memory_equal(a.params, c.params, (size_t)a.count * sizeof(real));
      }
      assert_true(norm_of(one.store) == norm_of(many.store));
      run_destroy(&many);
    }
    run_destroy(&one);
  }
  omp_set_num_threads(threads);
}

static void test_an_update_allocates_nothing(void **state) {
  (void)state;
  for (int k = 0; k < 2; k++) {
    run r = run_create(both[k]);
    run_step(&r, 1, 1e-2, 1); /* starts the threads */
    size_t used = rf_optimizer_memory_used(r.optimizer);
    struct mallinfo2 before = mallinfo2();
    assert_int_equal(rf_optimizer_update(r.optimizer, 2, 1e-2, 1), RF_OK);
    struct mallinfo2 after = mallinfo2();
    assert_int_equal(before.uordblks, after.uordblks);
    assert_int_equal(before.hblkhd, after.hblkhd);
    assert_int_equal(rf_optimizer_memory_used(r.optimizer), used);
    run_destroy(&r);
  }
}

static void test_adafactor_keeps_rows_and_columns_only(void **state) {
  (void)state;
  run adam = run_create(&adam_config), factored = run_create(&adafactor_config);
  size_t parameters = (size_t)(small_blocks[0].size + small_blocks[1].size) * sizeof(real);
  assert_true(rf_optimizer_memory_used(adam.optimizer) >= 2 * parameters);
  /* one vector for f; for e 301 + 203 numbers and their sums, and scratch of 16 x 203 doubles */
  assert_in_range(rf_optimizer_memory_used(factored.optimizer), 40001 * sizeof(real), 40001 * sizeof(real) + 50000);
  run_destroy(&adam);
  run_destroy(&factored);
}

static void test_the_gradient_norm_is_the_2_norm_and_shows_what_is_not_finite(void **state) {
  (void)state;
  rf_store *store;
  assert_int_equal(rf_store_create(&small_layout, NULL, &store), RF_OK);
  assert_true(norm_of(store) == 0);
  rf_shard first = rf_store_shard(store, 0), second = rf_store_shard(store, 1);
  first.gradient[3] = 3;
  second.gradient[60000] = -4;
  assert_true(norm_of(store) == 5);
  for (int b = 0; b < 2; b++) small_gradient(b, 1, b == 0 ? first.gradient : second.gradient);
  double sum = 0;
  for (int64_t i = 0; i < first.count; i++) sum += (double)first.gradient[i] * (double)first.gradient[i];
  for (int64_t i = 0; i < second.count; i++) sum += (double)second.gradient[i] * (double)second.gradient[i];
  assert_true(fabs(norm_of(store) - sqrt(sum)) <= 1e-13 * sqrt(sum));
  second.gradient[7] = R_(-INFINITY);
  assert_true(isinf(norm_of(store)));
  first.gradient[63] = R_(NAN);
  assert_true(isnan(norm_of(store)));
  rf_store_clear_gradients(store);
  assert_true(norm_of(store) == 0);
  rf_store_destroy(store);
}

static void test_clipping_scales_down_and_never_up(void **state) {
  (void)state;
  assert_true(rf_clip_scale(10, 2.5) == 0.25);
  assert_true(rf_clip_scale(2.5, 2.5) == 1);
  assert_true(rf_clip_scale(0.1, 2.5) == 1);
  assert_true(rf_clip_scale(0, 2.5) == 1);
  assert_true(rf_clip_scale(1e9, 0) == 1);
  assert_true(rf_clip_scale((double)NAN, 1) == 1);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_adam_follows_the_paper),
      cmocka_unit_test(test_adafactor_follows_the_paper),
      cmocka_unit_test(test_adam_gives_values_worked_by_hand),
      cmocka_unit_test(test_adafactor_gives_values_worked_by_hand),
      cmocka_unit_test(test_rows_without_gradient_stay_where_they_are),
      cmocka_unit_test(test_the_result_does_not_depend_on_the_number_of_threads),
      cmocka_unit_test(test_an_update_allocates_nothing),
      cmocka_unit_test(test_adafactor_keeps_rows_and_columns_only),
      cmocka_unit_test(test_the_gradient_norm_is_the_2_norm_and_shows_what_is_not_finite),
      cmocka_unit_test(test_clipping_scales_down_and_never_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
