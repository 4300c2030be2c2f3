/* Several owners in one process: this file is its own parameter store, whose shards cut the blocks
 * wherever the test wants. What the owners compute together must be what one owner computes. */
#include "optim/adafactor.h"
#include "optim/adam.h"
#include "reformer/optimizer.h"

#include "small_layout.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static double norm_of(const rf_store *store) {
  double norm = -1;
  assert_int_equal(rf_gradient_norm(store, &norm), RF_OK);
  return norm;
}

enum { MOST_OWNERS = 4 };

struct rf_store {
  rf_shard shards[2];
};

int64_t rf_tensor_count(const rf_tensor *tensor) {
  int64_t count = 1;
  for (int d = 0; d < tensor->n_dims; d++) count *= tensor->shape[d];
  return count;
}

const rf_layout *rf_store_layout(const rf_store *store) {
  (void)store;
  return &small_layout;
}

/* owners are summed by the test itself */
struct rf_mesh *rf_store_mesh(const rf_store *store) {
  (void)store;
  return NULL;
}

rf_shard rf_store_shard(const rf_store *store, int block) { return store->shards[block]; }

/* One model's parameters and gradients, and its owners. */
typedef struct world {
  int n;
  real *params[2], *gradient[2];
  rf_store stores[MOST_OWNERS];
  rf_arena *arenas[MOST_OWNERS];
  rf_adam adam[MOST_OWNERS];
  rf_adafactor adafactor[MOST_OWNERS];
} world;

/* cuts: [n - 1] thousandths of a block at which the next owner begins. */
static world world_create(int n, const int *cuts, const rf_optimizer_config *config) {
  world w = {.n = n};
  for (int b = 0; b < 2; b++) {
    int64_t size = small_blocks[b].size;
    w.params[b] = calloc((size_t)size, sizeof(real));
    w.gradient[b] = calloc((size_t)size, sizeof(real));
    assert_non_null(w.params[b]);
    assert_non_null(w.gradient[b]);
    small_gradient(b, 1000, w.params[b]); /* any numbers will do */
    for (int r = 0; r < n; r++) {
      int64_t first = r == 0 ? 0 : size * cuts[r - 1] / 1000, end = r == n - 1 ? size : size * cuts[r] / 1000;
      w.stores[r].shards[b] = (rf_shard){first, end - first, w.params[b] + first, w.gradient[b] + first};
    }
  }
  for (int r = 0; r < n; r++) {
    assert_int_equal(rf_arena_create("owner", 0, &w.arenas[r]), RF_OK);
    if (config->kind == RF_ADAM)
      assert_int_equal(rf_adam_create(&w.stores[r], w.arenas[r], &w.adam[r]), RF_OK);
    else
      assert_int_equal(rf_adafactor_create(config, &w.stores[r], w.arenas[r], &w.adafactor[r]), RF_OK);
  }
  return w;
}

static void world_destroy(world *w) {
  for (int r = 0; r < w->n; r++) rf_arena_destroy(w->arenas[r]);
  for (int b = 0; b < 2; b++) {
    free(w->params[b]);
    free(w->gradient[b]);
  }
}

static void sum_over_owners(int n, int64_t count, double *const vectors[]) {
  for (int64_t i = 0; i < count; i++) {
    double sum = 0;
    for (int r = 0; r < n; r++) sum += vectors[r][i];
    for (int r = 0; r < n; r++) vectors[r][i] = sum;
  }
}

static void world_step(world *w, const rf_optimizer_config *config, uint32_t step) {
  const double rate = 1e-2, scale = 0.5;
  double *sums[MOST_OWNERS], *squares[MOST_OWNERS];
  for (int b = 0; b < 2; b++) small_gradient(b, step, w->gradient[b]);
  for (int r = 0; r < w->n; r++) {
    sums[r] = w->adafactor[r].sums;
    squares[r] = w->adafactor[r].squares;
    if (config->kind == RF_ADAM)
      rf_adam_update(&w->adam[r], config, &w->stores[r], step, rate, scale);
    else
      rf_adafactor_collect(&w->adafactor[r], &w->stores[r], scale);
  }
  if (config->kind == RF_ADAM) return;
  sum_over_owners(w->n, w->adafactor[0].n_sums, sums);
  for (int r = 0; r < w->n; r++) rf_adafactor_update_moments(&w->adafactor[r], config, &w->stores[r], step, scale);
  sum_over_owners(w->n, w->adafactor[0].n_tensors, squares);
  for (int r = 0; r < w->n; r++) rf_adafactor_apply(&w->adafactor[r], config, &w->stores[r], rate, scale);
}

/* within tensors and rows, an owner of nothing, owners of whole tensors only */
static const struct {
  int n, cuts[MOST_OWNERS - 1];
} cuttings[] = {{2, {500}}, {3, {333, 667}}, {4, {3, 3, 450}}, {4, {250, 500, 999}}};
enum { CUTTINGS = sizeof cuttings / sizeof *cuttings };

static void assert_cuts_do_not_matter(const rf_optimizer_config *config, double ulps) {
  for (int k = 0; k < CUTTINGS; k++) {
    world whole = world_create(1, NULL, config), cut = world_create(cuttings[k].n, cuttings[k].cuts, config);
    for (uint32_t step = 1; step <= 5; step++) {
      world_step(&whole, config, step);
      world_step(&cut, config, step);
    }
    for (int b = 0; b < 2; b++)
      for (int64_t i = 0; i < small_blocks[b].size; i++) {
        double want = (double)whole.params[b][i], got = (double)cut.params[b][i];
        if (!(fabs(got - want) <= ulps * (double)RF_REAL_EPSILON * (fabs(want) + 1e-2)))
          fail_msg("cutting %d, block %d, element %ld: %.17g, not %.17g", k, b, (long)i, got, want);
      }
    world_destroy(&whole);
    world_destroy(&cut);
  }
}

static void test_adam_gives_the_same_bits_however_it_is_cut(void **state) {
  (void)state;
  rf_optimizer_config config = {.kind = RF_ADAM, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8, .weight_decay = 0.1};
  assert_cuts_do_not_matter(&config, 0);
}

static void test_adafactor_gives_the_same_however_it_is_cut(void **state) {
  (void)state;
  rf_optimizer_config config = {.kind = RF_ADAFACTOR,
                                .weight_decay = 0.1,
                                .decay_exponent = -0.8,
                                .clip_threshold = 0.5,
                                .factor_eps = 1e-30,
                                .scale_eps = 1e-3,
                                .scale_parameter = true};
  assert_cuts_do_not_matter(&config, 4); /* sums are rounded in another order: an ulp a step here and there */
  config.beta1 = 0.9;
  assert_cuts_do_not_matter(&config, 4);
}

static void test_squared_norms_of_the_owners_add_up(void **state) {
  (void)state;
  rf_optimizer_config config = {.kind = RF_ADAM};
  world whole = world_create(1, NULL, &config);
  for (int b = 0; b < 2; b++) small_gradient(b, 1, whole.gradient[b]);
  double want = norm_of(&whole.stores[0]);
  for (int k = 0; k < CUTTINGS; k++) {
    world cut = world_create(cuttings[k].n, cuttings[k].cuts, &config);
    for (int b = 0; b < 2; b++) small_gradient(b, 1, cut.gradient[b]);
    double square = 0;
    for (int r = 0; r < cut.n; r++) square += pow(norm_of(&cut.stores[r]), 2);
    assert_true(fabs(sqrt(square) - want) <= 1e-13 * want);
    world_destroy(&cut);
  }
  world_destroy(&whole);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_adam_gives_the_same_bits_however_it_is_cut),
      cmocka_unit_test(test_adafactor_gives_the_same_however_it_is_cut),
      cmocka_unit_test(test_squared_norms_of_the_owners_add_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
