/* What is stashed for the backward pass is chosen by the gain of a byte, within the budget. */
#include "model/budget.h"
#include "support/numbers.h"
#include "support/small_config.h"

static void test_the_best_gain_of_a_byte_is_stashed_first(void **state) {
  (void)state;
  const rf_budget_item items[] = {{100, 100, -1}, {10, 30, -1}, {50, 100, -1}, {10, 5, -1}};
  bool chosen[4];
  assert_int_equal(rf_budget_choose(4, items, 60, chosen), 60);
  assert_false(chosen[0]);
  assert_true(chosen[1]);
  assert_true(chosen[2]);
  assert_false(chosen[3]);
}

static void test_what_does_not_fit_leaves_room_for_what_does(void **state) {
  (void)state;
  const rf_budget_item items[] = {{100, 1000, -1}, {40, 100, -1}, {40, 90, -1}, {20, 1, -1}};
  bool chosen[4];
  assert_int_equal(rf_budget_choose(4, items, 99, chosen), 80);
  assert_true(!chosen[0] && chosen[1] && chosen[2] && !chosen[3]);
  assert_int_equal(rf_budget_choose(4, items, 200, chosen), 200);
  assert_int_equal(rf_budget_choose(4, items, 0, chosen), 0);
  assert_true(!chosen[0] && !chosen[1] && !chosen[2] && !chosen[3]);
}

static void test_an_item_waits_for_the_one_that_it_needs(void **state) {
  (void)state;
  const rf_budget_item items[] = {{50, 10, -1}, {10, 100, 0}, {10, 1, -1}};
  bool chosen[3];
  assert_int_equal(rf_budget_choose(3, items, 30, chosen), 10); /* the first does not fit, so the second is of no use */
  assert_true(!chosen[0] && !chosen[1] && chosen[2]);
  assert_int_equal(rf_budget_choose(3, items, 60, chosen), 60);
  assert_true(chosen[0] && chosen[1] && !chosen[2]);
}

static void test_equal_gains_are_stashed_in_order_and_no_gain_never(void **state) {
  (void)state;
  const rf_budget_item items[] = {{10, 0, -1}, {10, 7, -1}, {20, 14, -1}, {10, 7, -1}};
  bool chosen[4];
  assert_int_equal(rf_budget_choose(4, items, 30, chosen), 30);
  assert_true(!chosen[0] && chosen[1] && chosen[2] && !chosen[3]);
  assert_int_equal(rf_budget_choose(4, items, 1000, chosen), 40);
  assert_false(chosen[0]);
}

static rf_stash_summary plan(const rf_config *config, int64_t bytes, rf_layer_stash *stash) {
  rf_blocks blocks;
  rf_stash_summary summary;
  const rf_call call = {.sequences = 3, .tokens = 64, .length = 64};
  assert_ok(rf_blocks_create(config, &blocks));
  assert_ok(rf_budget_plan(&blocks, &call, bytes, stash, &summary));
  rf_blocks_destroy(&blocks);
  return summary;
}

/* Of one token and layer: d 10, H dh 12, d_ff 21; shared queries and keys. */
static void test_everything_is_stashed_where_there_is_room(void **state) {
  (void)state;
  rf_config config = small_config();
  rf_layer_stash stash[2];
  const rf_stash_summary all = plan(&config, (int64_t)1 << 30, stash);
  for (int part = 0; part < RF_STASH_PARTS; part++) assert_int_equal(all.layers[part], 2);
  for (int i = 0; i < 2; i++) {
    assert_true(stash[i].level[0] == 2 && stash[i].level[1] == 1 && stash[i].stream[0] && stash[i].stream[1]);
  }
  const int64_t numbers = (12 + 2 * 2) + 10 + 2 * 12 + 10 + 21;
  assert_in_range(all.bytes, 2 * 3 * 64 * numbers * (int64_t)sizeof(real),
                  2 * (3 * 64 * numbers * (int64_t)sizeof(real) + RF_STASH_PARTS * (RF_STASH_SLACK + 64 * 6)));
  assert_true(all.attention == rf_operations_per_token(&config, 64).attention / 4);
  assert_true(all.dense == rf_operations_per_token(&config, 64).dense / 4);
}

static void test_a_plan_stays_within_its_bytes_and_grows_with_them(void **state) {
  (void)state;
  rf_config config = small_config();
  config.model.n_layers = 2;
  config.model.n_attention = 2;
  config.model.attention[1] = RF_ATTENTION_FULL;
  rf_layer_stash stash[2];
  double before = 0;
  for (int64_t bytes = 0; bytes < 200000; bytes += 7777) {
    const rf_stash_summary some = plan(&config, bytes, stash);
    assert_in_range(some.bytes, 0, bytes);
    assert_true(stash[0].level[0] <= 2 && stash[1].level[1] <= 1);
    if (some.bytes == 0) assert_true(some.dense + some.attention == 0);
    before = fmax(before, some.dense + some.attention);
  }
  assert_true(before > 0);
}

static void test_ordinary_residuals_hold_their_streams_anyway(void **state) {
  (void)state;
  rf_config config = small_config();
  config.model.residual = RF_RESIDUAL_ORDINARY;
  rf_layer_stash stash[2];
  const rf_stash_summary all = plan(&config, (int64_t)1 << 30, stash);
  assert_int_equal(all.layers[RF_STASH_FIRST_STREAM] + all.layers[RF_STASH_SECOND_STREAM], 0);
  assert_int_equal(all.layers[RF_STASH_QUERIES], 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_best_gain_of_a_byte_is_stashed_first),
      cmocka_unit_test(test_what_does_not_fit_leaves_room_for_what_does),
      cmocka_unit_test(test_an_item_waits_for_the_one_that_it_needs),
      cmocka_unit_test(test_equal_gains_are_stashed_in_order_and_no_gain_never),
      cmocka_unit_test(test_everything_is_stashed_where_there_is_room),
      cmocka_unit_test(test_a_plan_stays_within_its_bytes_and_grows_with_them),
      cmocka_unit_test(test_ordinary_residuals_hold_their_streams_anyway),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
