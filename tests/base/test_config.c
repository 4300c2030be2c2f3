#include "reformer/config.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

static rf_config config_with(int64_t n_layers, int n_attention, const rf_attention_kind *attention) {
  rf_config config;
  memset(&config, 0, sizeof config);
  config.model.n_layers = n_layers;
  config.model.n_attention = n_attention;
  memcpy(config.model.attention, attention, (size_t)n_attention * sizeof *attention);
  config.lsh.chunk = 64;
  config.local.chunk = 48;
  return config;
}

static void test_the_attention_pattern_repeats_over_the_layers(void **state) {
  (void)state;
  const rf_attention_kind kinds[] = {RF_ATTENTION_LOCAL, RF_ATTENTION_LOCAL, RF_ATTENTION_LSH};
  rf_config config = config_with(8, 3, kinds);
  for (int64_t layer = 0; layer < 8; layer++) {
    assert_int_equal(rf_layer_attention(&config.model, layer), kinds[layer % 3]);
  }
}

static void test_length_is_padded_to_the_chunks_in_use(void **state) {
  (void)state;
  const rf_attention_kind lsh = RF_ATTENTION_LSH, full = RF_ATTENTION_FULL;
  const rf_attention_kind both[] = {RF_ATTENTION_LSH, RF_ATTENTION_LOCAL};
  rf_config config = config_with(6, 1, &lsh);
  assert_int_equal(rf_padded_length(&config, 1), 64);
  assert_int_equal(rf_padded_length(&config, 64), 64);
  assert_int_equal(rf_padded_length(&config, 65), 128);
  config = config_with(6, 2, both);
  assert_int_equal(rf_padded_length(&config, 65), 192); /* lcm(64, 48) */
  config = config_with(6, 1, &full);
  assert_int_equal(rf_padded_length(&config, 65), 65);
}

static void test_a_kind_past_the_last_layer_pads_nothing(void **state) {
  (void)state;
  const rf_attention_kind both[] = {RF_ATTENTION_LSH, RF_ATTENTION_LOCAL};
  rf_config config = config_with(1, 2, both);
  assert_int_equal(rf_padded_length(&config, 65), 128);
}

/* The rule, stated another way: the count of buckets and no power of two between it and the bound. */
static void test_auto_buckets_follow_the_rule_at_every_length_and_chunk(void **state) {
  (void)state;
  for (int64_t chunk = 1; chunk <= 200; chunk++) {
    for (int64_t length = 1; length <= INT64_C(1) << 30; length += 1 + length / 9) {
      rf_lsh_config lsh = {.chunk = chunk};
      rf_resolve_buckets(&lsh, length);
      int64_t product = 1;
      for (int i = 0; i < lsh.n_factors; i++) {
        product *= lsh.n_buckets[i];
        assert_int_equal(lsh.n_buckets[i] % 2, 0);
      }
      assert_int_equal(product & (product - 1), 0);
      assert_true(product == 2 || product * chunk <= 2 * length);
      assert_true(2 * product * chunk > 2 * length);
      assert_int_equal(lsh.n_factors, 1 + (product > 1 << 7) + (product > 1 << 14) + (product > 1 << 21));
      for (int i = 1; i < lsh.n_factors; i++) {
        assert_true(lsh.n_buckets[i] >= lsh.n_buckets[i - 1]);
        assert_true(lsh.n_buckets[i] <= 2 * lsh.n_buckets[0]);
      }
    }
  }
}

static void test_auto_buckets_of_a_million_tokens(void **state) {
  (void)state;
  rf_lsh_config lsh = {.chunk = 64};
  rf_resolve_buckets(&lsh, 1048576); /* 2^15 */
  assert_int_equal(lsh.n_factors, 3);
  for (int i = 0; i < 3; i++) assert_int_equal(lsh.n_buckets[i], 32);
}

/* Runs of up to half a million tokens hash as they always did. */
static void test_auto_buckets_up_to_2_to_the_14_have_two_factors_at_most(void **state) {
  (void)state;
  for (int power = 1; power <= 14; power++) {
    rf_lsh_config lsh = {.chunk = 64};
    rf_resolve_buckets(&lsh, INT64_C(32) << power);
    const int64_t small = INT64_C(1) << power / 2, large = INT64_C(1) << (power - power / 2);
    assert_int_equal(lsh.n_factors, power <= 7 ? 1 : 2);
    assert_int_equal(lsh.n_buckets[0], power <= 7 ? INT64_C(1) << power : small);
    if (power > 7) assert_int_equal(lsh.n_buckets[1], large);
  }
}

static void test_given_buckets_stay_as_they_are(void **state) {
  (void)state;
  rf_lsh_config lsh = {.chunk = 64, .n_factors = 1, .n_buckets = {6}};
  rf_resolve_buckets(&lsh, 4096);
  assert_int_equal(lsh.n_factors, 1);
  assert_int_equal(lsh.n_buckets[0], 6);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_the_attention_pattern_repeats_over_the_layers),
      cmocka_unit_test(test_length_is_padded_to_the_chunks_in_use),
      cmocka_unit_test(test_a_kind_past_the_last_layer_pads_nothing),
      cmocka_unit_test(test_auto_buckets_follow_the_rule_at_every_length_and_chunk),
      cmocka_unit_test(test_auto_buckets_of_a_million_tokens),
      cmocka_unit_test(test_auto_buckets_up_to_2_to_the_14_have_two_factors_at_most),
      cmocka_unit_test(test_given_buckets_stay_as_they_are),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
