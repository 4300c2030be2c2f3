/* Collective operations against loops over what every rank is known to hold. */
#include "comm/segments.h"
#include "comm/test_hooks.h"
#include "mpi/ranks.h"

static int64_t traffic_of(rf_mesh *mesh, rf_traffic purpose) {
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_traffic_read(mesh, bytes);
  return bytes[purpose];
}

/* What rank `r` of a scope holds: a function of it and the place, so that everybody knows everything. */
static double held(uint64_t seed, int r, int64_t i) {
  const rf_draw draw = {.seed = seed + (uint64_t)r, .purpose = RF_RNG_TASK};
  const volatile double x =
      rf_draw_normal(&draw, (uint64_t)i) * pow(10, (double)(i % 7) - 3); /* not fused into a sum */
  return x;
}

static void check_sums(rf_mesh *mesh) {
  static const int64_t lengths[] = {0, 1, 5, 16, 17, 100, 1001};
  for (int scope = 0; scope < RF_SCOPES; scope++)
    for (size_t k = 0; k < sizeof lengths / sizeof *lengths; k++) {
      const int64_t n = lengths[k];
      const int size = rf_mesh_size_of(mesh, (rf_scope)scope), rank = rf_mesh_rank_in(mesh, (rf_scope)scope);
      const uint64_t seed = (uint64_t)(100 * scope + (int)k);
      double *sum = NEW(double, n), *max = NEW(double, n);
      int64_t *count = NEW(int64_t, n);
      for (int64_t i = 0; i < n; i++) {
        sum[i] = max[i] = held(seed, rank, i);
        count[i] = (INT64_C(1) << 60) / (rank + 1) + i;
      }
      arrive_late(mesh, (int)k);
      rf_traffic_reset(mesh);
      assert_ok(rf_sum_doubles(mesh, (rf_scope)scope, RF_TRAFFIC_LOSS, n, sum));
      const int64_t own = rf_span_of(n, size, rank).count;
      const int64_t numbers = n <= 16 ? n * (size - 1) : n - own + own * (size - 1);
      assert_int_equal(traffic_of(mesh, RF_TRAFFIC_LOSS), numbers * 8);
      assert_ok(rf_max_doubles(mesh, (rf_scope)scope, RF_TRAFFIC_OTHER, n, max));
      assert_ok(rf_sum_integers(mesh, (rf_scope)scope, RF_TRAFFIC_OTHER, n, count));
      for (int64_t i = 0; i < n; i++) {
        double expected = held(seed, 0, i), largest = expected;
        int64_t items = (INT64_C(1) << 60) + i;
        for (int r = 1; r < size; r++) {
          expected += held(seed, r, i);
          largest = fmax(largest, held(seed, r, i));
          items += (INT64_C(1) << 60) / (r + 1) + i;
        }
        assert_memory_equal(&sum[i], &expected, sizeof expected);
        assert_memory_equal(&max[i], &largest, sizeof largest);
        assert_int_equal(count[i], items);
      }
      free(sum);
      free(max);
      free(count);
    }
}

static void test_sums_have_the_bits_of_a_loop_over_ranks(void **state) {
  (void)state;
  on_every_mesh(check_sums);
}

static void check_nan(rf_mesh *mesh) {
  const int size = rf_mesh_size(mesh);
  for (int bad = 0; bad < size; bad++) {
    double x[2] = {rf_mesh_rank(mesh) == bad ? NAN : 1.0, rf_mesh_rank(mesh)};
    assert_ok(rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 2, x));
    assert_true(isnan(x[0]));
    assert_true(x[1] == size - 1);
  }
}

static void test_the_largest_with_a_nan_is_nan(void **state) {
  (void)state;
  on_every_mesh(check_nan);
}

static void check_broadcast_and_gather(rf_mesh *mesh) {
  for (int scope = 0; scope < RF_SCOPES; scope++) {
    const int size = rf_mesh_size_of(mesh, (rf_scope)scope), rank = rf_mesh_rank_in(mesh, (rf_scope)scope);
    double own[3], all[3 * MOST_TEST_RANKS];
    for (int i = 0; i < 3; i++) own[i] = held(1, rank, i);
    assert_ok(rf_gather_doubles(mesh, (rf_scope)scope, RF_TRAFFIC_OTHER, 3, own, all));
    for (int r = 0; r < size; r++)
      for (int i = 0; i < 3; i++) assert_true(all[3 * r + i] == held(1, r, i));
    for (int root = 0; root < size; root++) {
      unsigned char data[1000];
      for (int i = 0; i < 1000; i++) data[i] = (unsigned char)(rank == root ? (i * 31 + root) % 251 : 0);
      arrive_late(mesh, root);
      rf_traffic_reset(mesh);
      assert_ok(rf_broadcast(mesh, (rf_scope)scope, RF_TRAFFIC_OTHER, root, data, sizeof data));
      assert_int_equal(traffic_of(mesh, RF_TRAFFIC_OTHER), rank == root ? 1000 * (size - 1) : 0);
      for (int i = 0; i < 1000; i++) assert_int_equal(data[i], (i * 31 + root) % 251);
    }
  }
}

static void test_everybody_gets_what_one_or_all_have(void **state) {
  (void)state;
  on_every_mesh(check_broadcast_and_gather);
}

/* Cuts of a vector: even, uneven, with empty segments, all in one, empty, many pieces. */
static int64_t cut(int kind, int size, int64_t *first) {
  first[0] = 0;
  for (int r = 0; r < size; r++) {
    const int64_t lengths[] = {1000, r * 37 % 11, r % 2 ? 0 : 513, r == size / 2 ? 5000 : 0, 0, 70000 + r};
    first[r + 1] = first[r] + lengths[kind];
  }
  return first[size];
}

enum { CUTS = 6 };

static void check_all_gather(rf_mesh *mesh) {
  const int size = rf_mesh_size(mesh), rank = rf_mesh_rank(mesh);
  int64_t first[MOST_TEST_RANKS + 1];
  for (int kind = 0; kind < CUTS; kind++) {
    const int64_t n = cut(kind, size, first);
    real *full = NEW(real, n);
    for (int64_t i = first[rank]; i < first[rank + 1]; i++) full[i] = (real)held(7, 0, i);
    rf_flight *flight;
    arrive_late(mesh, kind);
    rf_traffic_reset(mesh);
    assert_ok(rf_all_gather_start(mesh, RF_TRAFFIC_PARAMETERS, first, full, &flight));
    for (int i = 0; i < 10; i++) assert_ok(rf_mesh_poll(mesh));
    assert_ok(rf_flight_wait(flight));
    assert_int_equal(traffic_of(mesh, RF_TRAFFIC_PARAMETERS),
                     (first[rank + 1] - first[rank]) * (size - 1) * (int64_t)sizeof(real));
    for (int64_t i = 0; i < n; i++)
      if (full[i] != (real)held(7, 0, i)) fail_msg("cut %d: element %lld", kind, (long long)i);
    free(full);
  }
}

static void test_all_gather_brings_every_segment_to_everybody(void **state) {
  (void)state;
  on_every_mesh(check_all_gather);
}

static void check_reduce_scatter_cut(rf_mesh *mesh, int kind, int turn) {
  const int size = rf_mesh_size(mesh), rank = rf_mesh_rank(mesh);
  int64_t first[MOST_TEST_RANKS + 1];
  const int64_t n = cut(kind, size, first);
  real *full = NEW(real, n);
  for (int64_t i = 0; i < n; i++) full[i] = (real)held(9, rank, i);
  rf_flight *flight;
  arrive_late(mesh, turn);
  rf_traffic_reset(mesh);
  assert_ok(rf_reduce_scatter_start(mesh, RF_TRAFFIC_GRADIENTS, first, full, &flight));
  assert_ok(rf_flight_wait(flight));
  const int64_t own = first[rank + 1] - first[rank];
  assert_int_equal(traffic_of(mesh, RF_TRAFFIC_GRADIENTS), size == 1 ? 0 : (n - own) * (int64_t)sizeof(real));
  for (int64_t i = first[rank]; i < first[rank + 1]; i++) {
    real expected = (real)held(9, (rank + 1) % size, i); /* from the next rank around to this one */
    for (int d = 2; d <= size; d++) expected = (real)held(9, (rank + d) % size, i) + expected;
    assert_same_bits("reduce-scatter", 1, &full[i], &expected);
  }
  free(full);
}

static void check_reduce_scatter(rf_mesh *mesh) {
  for (int kind = 0; kind < CUTS; kind++)
    for (int turn = 0; turn < (kind == CUTS - 1 ? 1 : 3); turn++) check_reduce_scatter_cut(mesh, kind, turn);
}

static void test_reduce_scatter_sums_around_the_ring_whoever_comes_first(void **state) {
  (void)state;
  on_every_mesh(check_reduce_scatter);
}

static void check_small_messages(rf_mesh *mesh) {
  rf_mesh_set_most_bytes(mesh, 212); /* 53 floats, or 26 doubles: nothing divides */
  for (int kind = 0; kind < CUTS - 1; kind++) check_reduce_scatter_cut(mesh, kind, kind);
  check_broadcast_and_gather(mesh);
  int64_t first[MOST_TEST_RANKS + 1];
  const int64_t n = cut(0, rf_mesh_size(mesh), first);
  real *full = NEW(real, n);
  for (int64_t i = first[rf_mesh_rank(mesh)]; i < first[rf_mesh_rank(mesh) + 1]; i++) full[i] = (real)held(7, 0, i);
  rf_flight *flight;
  assert_ok(rf_all_gather_start(mesh, RF_TRAFFIC_PARAMETERS, first, full, &flight));
  assert_ok(rf_flight_wait(flight));
  for (int64_t i = 0; i < n; i++) assert_true(full[i] == (real)held(7, 0, i));
  free(full);
}

static void test_what_is_too_long_for_a_message_is_cut(void **state) {
  (void)state;
  on_every_mesh(check_small_messages);
}

/* Several operations under way at once, waited for in another order than they were started; sums meanwhile. */
static void check_many_at_once(rf_mesh *mesh) {
  enum { OPERATIONS = 6 };
  const int size = rf_mesh_size(mesh), rank = rf_mesh_rank(mesh);
  int64_t first[MOST_TEST_RANKS + 1];
  const int64_t n = cut(5, size, first);
  real *full[OPERATIONS];
  rf_flight *flight[OPERATIONS];
  for (int k = 0; k < OPERATIONS; k++) {
    full[k] = NEW(real, n);
    for (int64_t i = 0; i < n; i++) full[k][i] = (real)(k + rank + i % 100);
    if (k % 2 == 0)
      assert_ok(rf_all_gather_start(mesh, RF_TRAFFIC_PARAMETERS, first, full[k], &flight[k]));
    else
      assert_ok(rf_reduce_scatter_start(mesh, RF_TRAFFIC_GRADIENTS, first, full[k], &flight[k]));
  }
  double x = 1;
  arrive_late(mesh, 3);
  assert_ok(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_LOSS, 1, &x));
  assert_ok(rf_agree(mesh, RF_OK));
  assert_true(x == size);
  for (int i = 0; i < OPERATIONS; i++) assert_ok(rf_flight_wait(flight[(rank + 5 * i + 1) % OPERATIONS]));
  for (int k = 0; k < OPERATIONS; k++) {
    for (int r = 0; r < size; r++) {
      if (k % 2 == 1 && r != rank) continue;
      for (int64_t i = first[r]; i < first[r + 1]; i++) {
        const int64_t expected = k % 2 == 0 ? k + r + i % 100 : size * (k + i % 100) + size * (size - 1) / 2;
        if (full[k][i] != (real)expected) fail_msg("operation %d, element %lld", k, (long long)i);
      }
    }
    free(full[k]);
  }
}

static void test_operations_do_not_disturb_each_other(void **state) {
  (void)state;
  on_every_mesh(check_many_at_once);
}

static void check_shift(rf_mesh *mesh) {
  for (int scope = 0; scope < RF_SCOPES; scope++) {
    const int size = rf_mesh_size_of(mesh, (rf_scope)scope), rank = rf_mesh_rank_in(mesh, (rf_scope)scope);
    int32_t own[4] = {rank, rank + 1, rank + 2, rank + 3}, got[4] = {-1, -1, -1, -1};
    rf_flight *flight;
    /* around the ring */
    const rf_shift ring = {(rank + 1) % size, (rank - 1 + size) % size, own, got, sizeof own, sizeof got};
    assert_ok(rf_shift_start(mesh, (rf_scope)scope, RF_TRAFFIC_ROWS, &ring, &flight));
    assert_ok(rf_flight_wait(flight));
    for (int i = 0; i < 4; i++) assert_int_equal(got[i], (rank - 1 + size) % size + i);
    /* down a line with ends */
    got[0] = -1;
    const rf_shift line = {rank > 0 ? rank - 1 : -1, rank < size - 1 ? rank + 1 : -1, own, got, 4, 4};
    assert_ok(rf_shift_start(mesh, (rf_scope)scope, RF_TRAFFIC_ROWS, &line, &flight));
    assert_ok(rf_flight_wait(flight));
    assert_int_equal(got[0], rank < size - 1 ? rank + 1 : -1);
  }
}

static void test_neighbours_pass_things_on(void **state) {
  (void)state;
  on_every_mesh(check_shift);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_sums_have_the_bits_of_a_loop_over_ranks),
    cmocka_unit_test(test_the_largest_with_a_nan_is_nan),
    cmocka_unit_test(test_everybody_gets_what_one_or_all_have),
    cmocka_unit_test(test_all_gather_brings_every_segment_to_everybody),
    cmocka_unit_test(test_reduce_scatter_sums_around_the_ring_whoever_comes_first),
    cmocka_unit_test(test_what_is_too_long_for_a_message_is_cut),
    cmocka_unit_test(test_operations_do_not_disturb_each_other),
    cmocka_unit_test(test_neighbours_pass_things_on),
};

RANKS_MAIN(tests)
