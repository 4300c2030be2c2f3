/* Rows and results on their way between home and owner, on meshes of every shape. */
#include "comm/test_hooks.h"
#include "kernel/bf16.h"
#include "mpi/exchange_arrays.h"

static void check_scatter_of(fixture *b, rf_exchange_rows_kind kind) {
  const int64_t widths[] = {3, 1, 4};
  arrays a = arrays_make(b, 3, widths);
  rf_exchange_move *move;
  const rf_exchange_counts n = rf_exchange_count(b->x);
  fill_tokens(b, &a);
  rf_traffic_reset(b->mesh);
  assert_ok(rf_exchange_start(b->x, RF_SCATTER, kind, 3, a.field, plans, &move));
  for (int f = 0; f < 3; f++) /* tokens are free again */
    for (int64_t p = 0; p < b->w.shape.pairs; p++)
      for (int64_t t = 0; t < b->home.count; t++) token_of(&a, f, p, t)[0] = 1000;
  arrive_late(b->mesh, (int)b->w.shape.tokens);
  assert_ok(rf_mesh_poll(b->mesh));
  assert_ok(rf_exchange_finish(move));
  check_traffic(b, n.own_sent, kind == RF_ROWS_ALL ? n.halo_sent : 0, 8);
  for (int f = 0; f < 3; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++) {
      const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, p);
      for (int64_t i = 0; i < pair->n_rows; i++)
        for (int64_t j = 0; j < widths[f]; j++) {
          const bool moved = kind == RF_ROWS_ALL || i < pair->n_own;
          check(b, row_of(&a, f, p, i)[j] == (moved ? value_of(f, p, pair->position[i], j) : UNTOUCHED));
        }
    }
  check_gaps(b, &a);
  arrays_free(b, &a);
}

static void check_scatter(fixture *b) {
  check_scatter_of(b, RF_ROWS_OWN);
  check_scatter_of(b, RF_ROWS_ALL);
}

static void check_scatters(rf_mesh *mesh) { for_every_case(mesh, check_scatter); }

static void test_scatter_brings_every_row_to_whoever_needs_it(void **state) {
  (void)state;
  on_every_mesh(check_scatters);
}

/* Sums in the documented order, bit for bit, of numbers that round. */
static real rough(int rank, int64_t pair, int64_t position, int64_t column) {
  const rf_draw draw = {.seed = SEED + (uint64_t)rank, .purpose = RF_RNG_TASK};
  return (real)rf_draw_normal(&draw, (uint64_t)((pair * 1000 + position) * 8 + column));
}

static void check_gather_order(fixture *b) {
  const int64_t widths[] = {5};
  const rf_exchange_shape *s = &b->w.shape;
  for (int turn = 0; turn < 2; turn++) {
    arrays a = arrays_make(b, 1, widths);
    rf_exchange_move *move;
    for (int64_t p = 0; p < s->pairs; p++) {
      const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, p);
      for (int64_t i = 0; i < pair->n_rows; i++)
        for (int64_t j = 0; j < 5; j++) row_of(&a, 0, p, i)[j] = rough(b->rank, p, pair->position[i], j);
      for (int64_t t = 0; t < b->home.count; t++)
        for (int64_t j = 0; j < 5; j++) token_of(&a, 0, p, t)[j] = R_(0.25);
    }
    arrive_late(b->mesh, turn + b->rank);
    assert_ok(rf_exchange_start(b->x, RF_GATHER_SUM, RF_ROWS_ALL, 1, a.field, plans, &move));
    assert_ok(rf_exchange_finish(move));
    for (int64_t p = 0; p < s->pairs; p++)
      for (int64_t t = 0; t < b->home.count; t++)
        for (int64_t j = 0; j < 5; j++) {
          const int64_t position = b->home.first + t;
          real expected = R_(0.25);
          for (int halo = 0; halo < 2; halo++)
            for (int place = -1; place < b->ranks; place++) {
              const int r = place < 0 ? b->rank : place;
              if (place == b->rank) continue;
              const bool own = whole_needs(&b->w, r, p, position, false);
              if (halo ? own || !whole_needs(&b->w, r, p, position, true) : !own) continue;
              expected += rough(r, p, position, j);
            }
          check(b, token_of(&a, 0, p, t)[j] == expected);
        }
    check_gaps(b, &a);
    arrays_free(b, &a);
  }
}

static void check_gather_orders(rf_mesh *mesh) { for_every_case(mesh, check_gather_order); }

static void test_gather_sums_own_before_halo_and_home_before_others_by_rank(void **state) {
  (void)state;
  on_every_mesh(check_gather_orders);
}

/* <scatter x, y> = <x, gather y>, exactly: all numbers are small and whole. */
static void check_transpose_of(fixture *b, rf_exchange_rows_kind kind) {
  const int64_t widths[] = {3, 2};
  const rf_exchange_counts n = rf_exchange_count(b->x);
  arrays x = arrays_make(b, 2, widths), y = arrays_make(b, 2, widths);
  rf_exchange_move *there, *back;
  fill_tokens(b, &x);
  for (int f = 0; f < 2; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++) {
      const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, p);
      for (int64_t i = 0; i < pair->n_rows; i++)
        for (int64_t j = 0; j < widths[f]; j++) row_of(&y, f, p, i)[j] = value_at(b->rank, f, p, pair->position[i], j);
      for (int64_t t = 0; t < b->home.count; t++)
        for (int64_t j = 0; j < widths[f]; j++) token_of(&y, f, p, t)[j] = 0;
    }
  rf_traffic_reset(b->mesh);
  assert_ok(rf_exchange_start(b->x, RF_SCATTER, kind, 2, x.field, plans, &there));
  assert_ok(rf_exchange_start(b->x, RF_GATHER_SUM, kind, 2, y.field, plans, &back)); /* both under way */
  assert_ok(rf_exchange_finish(back));
  assert_ok(rf_exchange_finish(there));
  const bool all = kind == RF_ROWS_ALL;
  check_traffic(b, n.own_sent + n.own_received, all ? n.halo_sent + n.halo_received : 0, 5);
  int64_t product[2] = {0, 0};
  for (int f = 0; f < 2; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++)
      for (int64_t j = 0; j < widths[f]; j++) {
        const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, p);
        for (int64_t i = 0; i < (all ? pair->n_rows : pair->n_own); i++)
          product[0] += (int64_t)(row_of(&x, f, p, i)[j] * row_of(&y, f, p, i)[j]);
        for (int64_t t = 0; t < b->home.count; t++)
          product[1] += (int64_t)(token_of(&x, f, p, t)[j] * token_of(&y, f, p, t)[j]);
      }
  sum_over_ranks(b, 2, product);
  check(b, product[0] == product[1]);
  arrays_free(b, &x);
  arrays_free(b, &y);
}

static void check_transpose(fixture *b) {
  check_transpose_of(b, RF_ROWS_OWN);
  check_transpose_of(b, RF_ROWS_ALL);
}

static void check_transposes(rf_mesh *mesh) { for_every_case(mesh, check_transpose); }

static void test_gather_is_the_transpose_of_scatter(void **state) {
  (void)state;
  on_every_mesh(check_transposes);
}

static void check_multiplicity(fixture *b) {
  const int64_t widths[] = {2};
  arrays a = arrays_make(b, 1, widths);
  rf_exchange_move *move;
  fill_tokens(b, &a);
  assert_ok(rf_exchange_start(b->x, RF_SCATTER, RF_ROWS_ALL, 1, a.field, plans, &move));
  assert_ok(rf_exchange_finish(move));
  assert_ok(rf_exchange_start(b->x, RF_GATHER_SUM, RF_ROWS_ALL, 1, a.field, plans, &move));
  assert_ok(rf_exchange_finish(move));
  for (int64_t p = 0; p < b->w.shape.pairs; p++)
    for (int64_t t = 0; t < b->home.count; t++) {
      int needed = 0;
      for (int r = 0; r < b->ranks; r++) needed += whole_needs(&b->w, r, p, b->home.first + t, true);
      for (int64_t j = 0; j < 2; j++)
        check(b, token_of(&a, 0, p, t)[j] == (real)(1 + needed) * value_of(0, p, b->home.first + t, j));
    }
  arrays_free(b, &a);
}

static void check_multiplicities(rf_mesh *mesh) { for_every_case(mesh, check_multiplicity); }

static void test_there_and_back_multiplies_by_the_number_of_ranks_that_need_a_token(void **state) {
  (void)state;
  on_every_mesh(check_multiplicities);
}

/* --- The bfloat16 wire ---------------------------------------------------------------------------- */

static void set_rough(const fixture *b, const arrays *a) {
  for (int f = 0; f < a->n_fields; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++) {
      for (int64_t t = 0; t < b->home.count; t++)
        for (int64_t j = 0; j < a->field[f].width; j++) token_of(a, f, p, t)[j] = rough(f, p, b->home.first + t, j);
      const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, p);
      for (int64_t i = 0; i < pair->n_rows; i++)
        for (int64_t j = 0; j < a->field[f].width; j++) row_of(a, f, p, i)[j] = rough(f, p, pair->position[i], j);
    }
}

/* Of three fields of widths 3, 1, 4, the one of width 1 travels whole. */
static int64_t narrow_bytes(void) { return 3 * 2 + (int64_t)sizeof(real) + 4 * 2; }

static void check_narrow_traffic(fixture *b, int64_t rows, int64_t halo) {
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_traffic_read(b->mesh, bytes);
  check(b, bytes[RF_TRAFFIC_ROWS] == rows * narrow_bytes());
  check(b, bytes[RF_TRAFFIC_HALO] == halo * narrow_bytes());
}

static real narrow(real x, int64_t width, bool at_home) {
  return width == 1 || at_home ? x : rf_bf16_value(rf_bf16_of(x));
}

static void check_narrow(fixture *b) {
  const int64_t widths[] = {3, 1, 4};
  const rf_exchange_counts n = rf_exchange_count(b->x);
  const int64_t tokens = b->w.shape.tokens;
  arrays a = arrays_make(b, 3, widths);
  rf_exchange_move *move;
  set_rough(b, &a);
  rf_traffic_reset(b->mesh);
  assert_ok(rf_exchange_start(b->x, RF_SCATTER, RF_ROWS_ALL, 3, a.field, plans, &move));
  assert_ok(rf_exchange_finish(move));
  check_narrow_traffic(b, n.own_sent, n.halo_sent);
  for (int f = 0; f < 3; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++) {
      const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, p);
      for (int64_t i = 0; i < pair->n_rows; i++)
        for (int64_t j = 0; j < widths[f]; j++) {
          const int64_t position = pair->position[i];
          const bool at_home = rf_span_owner(tokens, b->ranks, position) == b->rank;
          check(b, row_of(&a, f, p, i)[j] == narrow(rough(f, p, position, j), widths[f], at_home));
        }
    }
  set_rough(b, &a);
  rf_traffic_reset(b->mesh);
  assert_ok(rf_exchange_start(b->x, RF_GATHER_SUM, RF_ROWS_ALL, 3, a.field, plans, &move));
  assert_ok(rf_exchange_finish(move));
  check_narrow_traffic(b, n.own_received, n.halo_received);
  for (int f = 0; f < 3; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++)
      for (int64_t t = 0; t < b->home.count; t++)
        for (int64_t j = 0; j < widths[f]; j++) {
          const int64_t position = b->home.first + t;
          const real x = rough(f, p, position, j);
          int needed = 0;
          for (int r = 0; r < b->ranks; r++) needed += r != b->rank && whole_needs(&b->w, r, p, position, true);
          const bool at_home = whole_needs(&b->w, b->rank, p, position, true);
          real expected = at_home ? x + x : x;
          for (int k = 0; k < needed; k++) expected += narrow(x, widths[f], false);
          /* home may be added before or after others, by whether it owns a slot: the sums may round otherwise */
          const double most = (double)(2 + needed) * fabs((double)x);
          check(b,
                fabs((double)(token_of(&a, f, p, t)[j] - expected)) <= (2 + needed) * (double)RF_REAL_EPSILON * most);
        }
  check_gaps(b, &a);
  arrays_free(b, &a);
}

static void check_narrows(rf_mesh *mesh) {
  for (int i = 0; i < EXCHANGE_CASES; i++) {
    exchange_case c = exchange_cases[i];
    c.shape.wire = RF_WIRE_BF16;
    fixture b = begin(mesh, &c, cuts[i % CUTS], RF_HISTOGRAM_AUTO, i % 2 == 0);
    check_narrow(&b);
    end(&b);
  }
}

static void test_narrow_rows_are_rounded_on_their_way_and_take_half_the_bytes(void **state) {
  (void)state;
  on_every_mesh(check_narrows);
}

/* --- Waves --------------------------------------------------------------------------------------- */

/* The next wave's plan is made and its rows travel while this wave's are still under way, cut into small messages. */
static void check_waves(rf_mesh *mesh) {
  const int64_t widths[] = {3};
  rf_mesh_set_most_bytes(mesh, 40);
  const rf_mark mark = rf_arena_mark(plans);
  fixture b[3];
  arrays a[3];
  rf_exchange_move *move[3];
  for (int i = 0; i < 3; i++) {
    b[i] = begin(mesh, &exchange_cases[i], cuts[i % CUTS], RF_HISTOGRAM_AUTO, true);
    a[i] = arrays_make(&b[i], 1, widths);
    fill_tokens(&b[i], &a[i]);
    assert_ok(rf_exchange_start(b[i].x, RF_SCATTER, RF_ROWS_ALL, 1, a[i].field, plans, &move[i]));
  }
  for (int i = 2; i >= 0; i--) {
    assert_ok(rf_exchange_finish(move[i]));
    for (int64_t p = 0; p < b[i].w.shape.pairs; p++) {
      const rf_exchange_pair *pair = rf_exchange_pair_of(b[i].x, p);
      for (int64_t k = 0; k < pair->n_rows; k++)
        for (int64_t j = 0; j < 3; j++) check(&b[i], row_of(&a[i], 0, p, k)[j] == value_of(0, p, pair->position[k], j));
    }
    arrays_free(&b[i], &a[i]);
    whole_free(&b[i].w);
  }
  rf_arena_release(plans, mark);
}

static void test_waves_travel_beside_each_other(void **state) {
  (void)state;
  on_every_mesh(check_waves);
}

/* With one rank rows may be the tokens, and nothing is copied or added. */
static void test_alone_rows_are_the_tokens(void **state) {
  (void)state;
  rf_mesh *mesh;
  assert_ok(make_mesh(1, 0, &mesh));
  fixture b = begin(mesh, &exchange_cases[0], cuts[0], RF_HISTOGRAM_AUTO, false);
  const int64_t widths[] = {3, 1, 1};
  arrays a = arrays_make(&b, 3, widths);
  rf_exchange_field same[3];
  rf_exchange_move *move;
  fill_tokens(&b, &a);
  for (int f = 0; f < 3; f++) {
    same[f] = a.field[f];
    same[f].rows = same[f].tokens;
  }
  for (int64_t p = 0; p < b.w.shape.pairs; p++) {
    const rf_exchange_pair *pair = rf_exchange_pair_of(b.x, p);
    check(&b, pair->n_rows == b.w.shape.tokens && pair->n_own == pair->n_rows);
    for (int64_t i = 0; i < pair->n_rows; i++) check(&b, pair->position[i] == i);
  }
  rf_traffic_reset(mesh);
  assert_ok(rf_exchange_start(b.x, RF_SCATTER, RF_ROWS_ALL, 3, same, plans, &move));
  assert_ok(rf_exchange_finish(move));
  assert_ok(rf_exchange_start(b.x, RF_GATHER_SUM, RF_ROWS_ALL, 3, same, plans, &move));
  assert_ok(rf_exchange_finish(move));
  assert_ok(rf_exchange_start(b.x, RF_GATHER_MERGE, RF_ROWS_OWN, 3, same, plans, &move));
  assert_ok(rf_exchange_finish(move));
  for (int f = 0; f < 3; f++)
    for (int64_t p = 0; p < b.w.shape.pairs; p++)
      for (int64_t t = 0; t < b.home.count; t++)
        for (int64_t j = 0; j < widths[f]; j++) check(&b, token_of(&a, f, p, t)[j] == value_of(f, p, t, j));
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_traffic_read(mesh, bytes);
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++) check(&b, bytes[i] == 0);
  arrays_free(&b, &a);
  end(&b);
  rf_mesh_destroy(mesh);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_scatter_brings_every_row_to_whoever_needs_it),
    cmocka_unit_test(test_gather_sums_own_before_halo_and_home_before_others_by_rank),
    cmocka_unit_test(test_gather_is_the_transpose_of_scatter),
    cmocka_unit_test(test_there_and_back_multiplies_by_the_number_of_ranks_that_need_a_token),
    cmocka_unit_test(test_narrow_rows_are_rounded_on_their_way_and_take_half_the_bytes),
    cmocka_unit_test(test_waves_travel_beside_each_other),
    cmocka_unit_test(test_alone_rows_are_the_tokens),
};

int main(int argc, char **argv) { return exchange_tests_run(&argc, &argv, tests, sizeof tests / sizeof *tests); }
