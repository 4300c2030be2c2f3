/* The parameter store of several ranks against plain arithmetic. */
#include "comm/span.h"
#include "mpi/ranks.h"
#include "reformer/store.h"

/* Sizes that are far from each other, one with fewer numbers than ranks may share. */
static rf_tensor tensors[] = {
    {.name = "a", .n_dims = 2, .shape = {5, 7}, .init = RF_INIT_NORMAL},
    {.name = "b", .n_dims = 2, .shape = {301, 203}, .init = RF_INIT_NORMAL},
    {.name = "c", .n_dims = 1, .shape = {11}, .init = RF_INIT_ONE},
    {.name = "d", .n_dims = 3, .shape = {20, 6, 13}, .init = RF_INIT_NORMAL},
    {.name = "e", .n_dims = 1, .shape = {5}, .init = RF_INIT_NORMAL},
};

static rf_block blocks[] = {
    {.name = "0", .n_tensors = 1, .tensors = tensors, .size = 48},
    {.name = "1", .n_tensors = 1, .tensors = tensors + 1, .size = 61104},
    {.name = "2", .n_tensors = 1, .tensors = tensors + 2, .size = 16},
    {.name = "3", .n_tensors = 1, .tensors = tensors + 3, .size = 1568},
    {.name = "4", .n_tensors = 1, .tensors = tensors + 4, .size = 5}, /* with 8 ranks, some own nothing */
};

enum { BLOCKS = sizeof blocks / sizeof *blocks, LARGEST = 61104 };

static const rf_layout layout = {.n_blocks = BLOCKS, .blocks = blocks};

static real parameter(int block, int64_t i, int version) {
  return (real)(1000 * version + 100 * block) + (real)(i % 97);
}

/* Whole numbers: sums are exact in any order. */
static real addend(int rank, int block, int64_t i, int micro) {
  return (real)((rank + 1) * (block + 2) + (int)(i % 13) * (rank % 3) + 7 * micro);
}

static rf_store *store_create(rf_mesh *mesh) {
  rf_store *store;
  assert_ok(rf_store_create(&layout, mesh, &store));
  return store;
}

static void fill(rf_store *store, int version) {
  for (int b = 0; b < BLOCKS; b++) {
    const rf_shard shard = rf_store_shard(store, b);
    for (int64_t i = 0; i < shard.count; i++) shard.params[i] = parameter(b, shard.first + i, version);
  }
  rf_store_updated(store);
}

static void check_lent(const real *params, int block, int version) {
  for (int64_t i = 0; i < blocks[block].size; i++)
    if (params[i] != parameter(block, i, version))
      fail_msg("block %d, parameter %lld is %g, expected %g", block, (long long)i, (double)params[i],
               (double)parameter(block, i, version));
}

/* Bytes sent for a purpose since last asked. */
static int64_t sent(rf_mesh *mesh, rf_traffic purpose) {
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_traffic_read(mesh, bytes);
  rf_traffic_reset(mesh);
  return bytes[purpose];
}

static rf_span own(const rf_mesh *mesh, int block) {
  return rf_span_of(blocks[block].size, rf_mesh_size(mesh), rf_mesh_rank(mesh));
}

/* The own segment goes to every other rank. */
static int64_t gather_bytes(const rf_mesh *mesh, int block) {
  return own(mesh, block).count * (rf_mesh_size(mesh) - 1) * (int64_t)sizeof(real);
}

/* Every segment but the own one is passed on once around the ring. */
static int64_t reduce_bytes(const rf_mesh *mesh, int block) {
  return rf_mesh_size(mesh) == 1 ? 0 : (blocks[block].size - own(mesh, block).count) * (int64_t)sizeof(real);
}

static void check_shards(rf_mesh *mesh) {
  rf_store *store = store_create(mesh);
  int64_t mine = 0;
  for (int b = 0; b < BLOCKS; b++) {
    const rf_shard shard = rf_store_shard(store, b);
    assert_int_equal(shard.first, own(mesh, b).first);
    assert_int_equal(shard.count, own(mesh, b).count);
    mine += shard.count;
  }
  /* parameters and gradients of the shards; on several ranks two full vectors of each besides */
  const int64_t full = rf_mesh_size(mesh) > 1 ? 4 * LARGEST : 0;
  const size_t least = (size_t)(2 * mine + full) * sizeof(real);
  assert_in_range(rf_store_memory_used(store), least, least + 8192);
  rf_store_destroy(store);
}

static void test_a_rank_holds_its_shards_and_two_full_vectors(void **state) {
  (void)state;
  on_every_mesh(check_shards);
}

static void check_initialisation(rf_mesh *mesh) {
  rf_store *alone = store_create(NULL), *store = store_create(mesh);
  rf_store_initialise(alone, 5, 0.1);
  rf_store_initialise(store, 5, 0.1);
  for (int b = 0; b < BLOCKS; b++) {
    const real *params;
    assert_ok(rf_store_lend(store, b, &params));
    assert_same_bits(blocks[b].name, blocks[b].size, params, rf_store_shard(alone, b).params);
    rf_store_return(store, b);
  }
  rf_store_destroy(store);
  rf_store_destroy(alone);
}

static void test_initial_parameters_do_not_depend_on_the_ranks(void **state) {
  (void)state;
  on_every_mesh(check_initialisation);
}

/* Forward and back again, as a model does. */
static void check_lending(rf_mesh *mesh) {
  rf_store *store = store_create(mesh);
  const real *params;
  for (int version = 0; version < 3; version++) {
    fill(store, version);
    for (int turn = 0; turn < 2 * BLOCKS; turn++) {
      const int b = turn < BLOCKS ? turn : 2 * BLOCKS - 1 - turn, next = turn < BLOCKS ? b + 1 : b - 1;
      arrive_late(mesh, turn);
      assert_ok(rf_store_lend(store, b, &params));
      assert_ok(rf_store_prefetch(store, next)); /* at either end there is no such block */
      assert_ok(rf_mesh_poll(mesh));
      check_lent(params, b, version);
      rf_store_return(store, b);
    }
  }
  rf_store_destroy(store);
}

static void test_a_lent_block_is_all_shards_put_together(void **state) {
  (void)state;
  on_every_mesh(check_lending);
}

static void check_two_lent(rf_mesh *mesh) {
  rf_store *store = store_create(mesh);
  const real *first, *second, *third;
  fill(store, 1);
  assert_ok(rf_store_lend(store, 1, &first));
  assert_ok(rf_store_lend(store, 3, &second));
  (void)sent(mesh, RF_TRAFFIC_PARAMETERS);
  assert_ok(rf_store_prefetch(store, 0)); /* no room: nothing happens */
  assert_int_equal(sent(mesh, RF_TRAFFIC_PARAMETERS), 0);
  rf_store_return(store, 1);
  assert_ok(rf_store_prefetch(store, 0)); /* takes the place of block 1, not of block 3 */
  assert_ok(rf_store_lend(store, 0, &third));
  check_lent(second, 3, 1);
  check_lent(third, 0, 1);
  rf_store_return(store, 3);
  rf_store_return(store, 0);
  rf_store_destroy(store);
}

static void test_two_blocks_are_lent_at_once_and_no_third_one_disturbs_them(void **state) {
  (void)state;
  on_every_mesh(check_two_lent);
}

static void check_parameter_traffic(rf_mesh *mesh) {
  rf_store *store = store_create(mesh);
  const real *params;
  fill(store, 0);
  (void)sent(mesh, RF_TRAFFIC_PARAMETERS);
  for (int b = 0; b < BLOCKS; b++) {
    assert_ok(rf_store_prefetch(store, b));
    assert_int_equal(sent(mesh, RF_TRAFFIC_PARAMETERS), gather_bytes(mesh, b));
    assert_ok(rf_store_lend(store, b, &params)); /* it is on its way */
    rf_store_return(store, b);
    assert_ok(rf_store_lend(store, b, &params)); /* it is here */
    rf_store_return(store, b);
    assert_int_equal(sent(mesh, RF_TRAFFIC_PARAMETERS), 0);
    fill(store, b + 1);
    assert_ok(rf_store_lend(store, b, &params)); /* what is here is stale */
    check_lent(params, b, b + 1);
    rf_store_return(store, b);
    assert_int_equal(sent(mesh, RF_TRAFFIC_PARAMETERS), gather_bytes(mesh, b));
  }
  rf_store_destroy(store);
}

static void test_a_block_travels_once_until_it_is_stale(void **state) {
  (void)state;
  on_every_mesh(check_parameter_traffic);
}

static void give(rf_store *store, const rf_mesh *mesh, int block, int micro, real *gradient) {
  for (int64_t i = 0; i < blocks[block].size; i++) {
    if (rf_mesh_size(mesh) > 1 && gradient[i] != 0)
      fail_msg("block %d, gradient %lld starts as %g", block, (long long)i, (double)gradient[i]);
    gradient[i] += addend(rf_mesh_rank(mesh), block, i, micro);
  }
  assert_ok(rf_store_hand_back(store, block));
}

static void check_sums(const rf_store *store, const rf_mesh *mesh, int micros, int times_of_last) {
  for (int b = 0; b < BLOCKS; b++) {
    const rf_shard shard = rf_store_shard(store, b);
    for (int64_t i = 0; i < shard.count; i++) {
      real expected = 0;
      for (int micro = 0; micro < micros; micro++)
        for (int r = 0; r < rf_mesh_size(mesh); r++)
          expected += (real)(b == BLOCKS - 1 ? times_of_last : 1) * addend(r, b, shard.first + i, micro);
      if (shard.gradient[i] != expected)
        fail_msg("block %d, gradient %lld sums up to %g, expected %g", b, (long long)(shard.first + i),
                 (double)shard.gradient[i], (double)expected);
    }
  }
}

/* Three micro-batches; in each the last block twice, as a tied embedding, and the first two blocks borrowed together
 * and handed back in the other order. */
static void check_gradients(rf_mesh *mesh) {
  enum { MICROS = 3 };
  rf_store *store = store_create(mesh);
  real *gradient, *other;
  for (int repeat = 0; repeat < 2; repeat++) {
    rf_store_clear_gradients(store);
    for (int micro = 0; micro < MICROS; micro++) {
      (void)sent(mesh, RF_TRAFFIC_GRADIENTS);
      int64_t bytes = reduce_bytes(mesh, BLOCKS - 1); /* the second time */
      for (int b = BLOCKS - 1; b >= 2; b--) {
        arrive_late(mesh, b);
        assert_ok(rf_store_borrow_gradient(store, b, &gradient));
        give(store, mesh, b, micro, gradient);
      }
      assert_ok(rf_store_borrow_gradient(store, 1, &gradient));
      assert_ok(rf_store_borrow_gradient(store, 0, &other));
      give(store, mesh, 1, micro, gradient);
      give(store, mesh, 0, micro, other);
      assert_ok(rf_store_borrow_gradient(store, BLOCKS - 1, &gradient));
      give(store, mesh, BLOCKS - 1, micro, gradient);
      assert_ok(rf_store_finish_gradients(store));
      for (int b = 0; b < BLOCKS; b++) bytes += reduce_bytes(mesh, b);
      assert_int_equal(sent(mesh, RF_TRAFFIC_GRADIENTS), bytes);
    }
    check_sums(store, mesh, MICROS, 2);
  }
  rf_store_destroy(store);
}

static void test_gradients_are_summed_over_ranks_and_micro_batches_once(void **state) {
  (void)state;
  on_every_mesh(check_gradients);
}

static void assert_misuse(rf_status status, const char *what) {
  assert_int_equal(status, RF_FAILED);
  if (!strstr(rf_error_message(), what)) fail_msg("%s", rf_error_message());
}

static real shard_sum(rf_store *store, int block) {
  const rf_shard shard = rf_store_shard(store, block);
  real sum = 0;
  for (int64_t i = 0; i < shard.count; i++) sum += shard.gradient[i];
  return sum;
}

/* The gradient that left last has all of the next block's time to come home: whoever needs a place waits for the other.
 */
static void check_order_of_landing(rf_mesh *mesh) {
  if (rf_mesh_size(mesh) == 1) return;
  rf_store *store = store_create(mesh);
  real *gradient;
  rf_store_clear_gradients(store);
  for (int b = 3; b >= 0; b--) {
    assert_ok(rf_store_borrow_gradient(store, b, &gradient));
    if (b < 2) assert_true(shard_sum(store, b + 1) == 0 && shard_sum(store, b + 2) > 0);
    give(store, mesh, b, 0, gradient);
  }
  assert_ok(rf_store_finish_gradients(store));
  assert_ok(rf_agree(mesh, RF_OK));
  rf_store_destroy(store);
}

static void test_a_place_is_made_by_the_gradient_that_left_first(void **state) {
  (void)state;
  on_every_mesh(check_order_of_landing);
}

/* A refusal changes nothing: who borrowed before goes on. */
static void check_misuse(rf_mesh *mesh) {
  rf_store *store = store_create(mesh);
  const real *params;
  real *gradient, *other;
  fill(store, 1);
  assert_ok(rf_store_lend(store, 0, &params));
  assert_misuse(rf_store_lend(store, 0, &params), "block 0: is lent already");
  assert_ok(rf_store_lend(store, 2, &params));
  assert_misuse(rf_store_lend(store, 3, &params), "block 3: two others are lent");
  check_lent(params, 2, 1);
  rf_store_return(store, 0);
  assert_ok(rf_store_lend(store, 3, &params));
  check_lent(params, 3, 1);
  assert_misuse(rf_store_hand_back(store, 2), "block 2: its gradient is handed back");
  assert_ok(rf_store_borrow_gradient(store, 2, &gradient));
  assert_misuse(rf_store_borrow_gradient(store, 2, &other), "block 2: is lent already");
  assert_ok(rf_store_borrow_gradient(store, 0, &other));
  assert_misuse(rf_store_borrow_gradient(store, 1, &other), "block 1: two others are lent");
  give(store, mesh, 2, 0, gradient);
  assert_misuse(rf_store_hand_back(store, 2), "block 2: its gradient is handed back");
  rf_store_recall(store); /* block 3, and the gradient of block 0, with which nothing was done */
  assert_ok(rf_store_lend(store, 3, &params));
  check_lent(params, 3, 1);
  rf_store_return(store, 3);
  assert_ok(rf_store_finish_gradients(store));
  const rf_shard shard = rf_store_shard(store, 2);
  for (int64_t i = 0; i < shard.count; i++) {
    real sum = 0;
    for (int r = 0; r < rf_mesh_size(mesh); r++) sum += addend(r, 2, shard.first + i, 0);
    assert_true(shard.gradient[i] == sum);
  }
  rf_store_destroy(store);
}

static void test_what_cannot_be_lent_or_handed_back_is_refused(void **state) {
  (void)state;
  on_every_mesh(check_misuse);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_rank_holds_its_shards_and_two_full_vectors),
    cmocka_unit_test(test_initial_parameters_do_not_depend_on_the_ranks),
    cmocka_unit_test(test_a_lent_block_is_all_shards_put_together),
    cmocka_unit_test(test_two_blocks_are_lent_at_once_and_no_third_one_disturbs_them),
    cmocka_unit_test(test_a_block_travels_once_until_it_is_stale),
    cmocka_unit_test(test_gradients_are_summed_over_ranks_and_micro_batches_once),
    cmocka_unit_test(test_a_place_is_made_by_the_gradient_that_left_first),
    cmocka_unit_test(test_what_cannot_be_lent_or_handed_back_is_refused),
};

RANKS_MAIN(tests)
