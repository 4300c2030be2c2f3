#include "reformer/store.h"

#include "optim/small_layout.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <omp.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static rf_store *new_store(void) {
  rf_store *store;
  assert_int_equal(rf_store_create(&small_layout, NULL, &store), RF_OK);
  return store;
}

static void test_parameters_and_gradients_start_at_zero(void **state) {
  (void)state;
  rf_store *store = new_store();
  for (int b = 0; b < small_layout.n_blocks; b++) {
    rf_shard shard = rf_store_shard(store, b);
    assert_true(shard.first == 0 && shard.count == small_blocks[b].size);
    for (int64_t i = 0; i < shard.count; i++) assert_true(shard.params[i] == 0 && shard.gradient[i] == 0);
  }
  rf_store_destroy(store);
}

static void test_initialisation_draws_each_tensor_from_the_seed(void **state) {
  (void)state;
  rf_store *store = new_store();
  rf_store_initialise(store, 5, 0.02);
  for (int b = 0; b < small_layout.n_blocks; b++) {
    rf_shard shard = rf_store_shard(store, b);
    int64_t next = 0; /* first element not yet checked: padding must stay zero */
    for (int t = 0; t < small_blocks[b].n_tensors; t++) {
      const rf_tensor *tensor = &small_blocks[b].tensors[t];
      rf_draw draw = {.seed = 5, .purpose = RF_RNG_INIT, .layer = (uint32_t)b, .head = (uint32_t)t};
      for (; next < tensor->offset; next++) assert_true(shard.params[next] == 0);
      for (int64_t i = 0; i < rf_tensor_count(tensor); i++, next++) {
        double want = tensor->init == RF_INIT_ONE      ? 1
                      : tensor->init == RF_INIT_NORMAL ? 0.02 * rf_draw_normal(&draw, (uint64_t)i)
                                                       : 0;
        assert_true(shard.params[next] == R_(want));
      }
    }
    for (; next < shard.count; next++) assert_true(shard.params[next] == 0);
  }
  rf_store_destroy(store);
}

static void test_initialisation_does_not_depend_on_the_number_of_threads(void **state) {
  (void)state;
  int threads = omp_get_max_threads();
  rf_store *a = new_store(), *b = new_store();
  omp_set_num_threads(1);
  rf_store_initialise(a, 9, 0.1);
  omp_set_num_threads(3);
  rf_store_initialise(b, 9, 0.1);
  omp_set_num_threads(threads);
  for (int k = 0; k < small_layout.n_blocks; k++)
    assert_memory_equal(rf_store_shard(a, k).params, rf_store_shard(b, k).params,
                        (size_t)small_blocks[k].size * sizeof(real));
  rf_store_destroy(a);
  rf_store_destroy(b);
}

static void test_a_lent_block_shows_the_shard(void **state) {
  (void)state;
  rf_store *store = new_store();
  rf_store_initialise(store, 1, 0.1);
  const real *params;
  assert_int_equal(rf_store_lend(store, 1, &params), RF_OK);
  assert_memory_equal(params, rf_store_shard(store, 1).params, (size_t)small_blocks[1].size * sizeof(real));
  rf_store_return(store, 1);
  rf_store_destroy(store);
}

static void test_gradients_add_up_over_borrowers_until_cleared(void **state) {
  (void)state;
  rf_store *store = new_store();
  for (int micro_batch = 0; micro_batch < 3; micro_batch++) {
    real *gradient;
    assert_int_equal(rf_store_borrow_gradient(store, 0, &gradient), RF_OK);
    gradient[5] += 2;
    assert_int_equal(rf_store_hand_back(store, 0), RF_OK);
  }
  assert_true(rf_store_shard(store, 0).gradient[5] == 6);
  rf_store_clear_gradients(store);
  assert_true(rf_store_shard(store, 0).gradient[5] == 0);
  rf_store_destroy(store);
}

static void test_memory_is_parameters_and_gradients(void **state) {
  (void)state;
  rf_store *store = new_store();
  size_t vectors = 2 * (size_t)(small_blocks[0].size + small_blocks[1].size) * sizeof(real);
  assert_in_range(rf_store_memory_used(store), vectors, vectors + 2048);
  rf_store_destroy(store);
}

static void return_twice(rf_store *store) {
  const real *params;
  (void)rf_store_lend(store, 0, &params);
  rf_store_return(store, 0);
  rf_store_return(store, 0);
}

static void destroy_lent(rf_store *store) {
  const real *params;
  (void)rf_store_lend(store, 0, &params);
  rf_store_destroy(store);
}

static void destroy_borrowed(rf_store *store) {
  real *gradient;
  (void)rf_store_borrow_gradient(store, 0, &gradient);
  rf_store_destroy(store);
}

static void update_lent(rf_store *store) {
  const real *params;
  (void)rf_store_lend(store, 0, &params);
  rf_store_updated(store);
}

/* What has no status to return: in the builds that assert. */
static void test_misuse_without_a_status_ends_the_process(void **state) {
  (void)state;
#ifdef NDEBUG
  skip();
#endif
  static void (*const misuses[])(rf_store *) = {return_twice, destroy_lent, destroy_borrowed, update_lent};
  for (size_t i = 0; i < sizeof misuses / sizeof *misuses; i++) {
    int status;
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
      (void)close(STDERR_FILENO);
      misuses[i](new_store());
      _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_parameters_and_gradients_start_at_zero),
      cmocka_unit_test(test_initialisation_draws_each_tensor_from_the_seed),
      cmocka_unit_test(test_initialisation_does_not_depend_on_the_number_of_threads),
      cmocka_unit_test(test_a_lent_block_shows_the_shard),
      cmocka_unit_test(test_gradients_add_up_over_borrowers_until_cleared),
      cmocka_unit_test(test_memory_is_parameters_and_gradients),
      cmocka_unit_test(test_misuse_without_a_status_ends_the_process),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
