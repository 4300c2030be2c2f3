/* Dropout masks against the generator's words, one by one. */
#include "kernel/dropout.h"
#include "support/numbers.h"

enum { ROWS = 7, WIDTH = 13, LD = 16 };

static const rf_draw draw = {
    .seed = 77, .purpose = RF_RNG_DROP_FF_OUT, .step = 5, .layer = 4, .head = 3, .round = 2, .sequence = 70};

static void check_dropout(double rate, int64_t first_token) {
  dice d = {.seed = 21};
  real *x = dice_reals(&d, ROWS * LD, 1), before[ROWS * LD];
  memcpy(before, x, sizeof before);
  rf_dropout(&draw, rate, first_token, ROWS, WIDTH, x, LD);
  for (int64_t i = 0; i < ROWS; i++)
    for (int64_t j = 0; j < LD; j++) {
      const uint64_t element = (uint64_t)((first_token + i) * WIDTH + j);
      uint32_t words[4];
      rf_draw_words(&draw, element / 4, words);
      const bool kept = (double)words[element % 4] >= floor(rate * 4294967296.0);
      const real factor = kept ? (real)(1 / (1 - rate)) : 0;
      const real expected = j < WIDTH ? before[i * LD + j] * factor : before[i * LD + j];
      if (x[i * LD + j] != expected)
        fail_msg("row %lld, column %lld: %g, expected %g", (long long)i, (long long)j, (double)x[i * LD + j],
                 (double)expected);
    }
  free(x);
}

static void test_dropout_takes_one_word_an_element(void **state) {
  (void)state;
  check_dropout(0.3, 0);
  check_dropout(0.3, 1001);
  check_dropout(0.9, 5);
}

static void test_rate_zero_leaves_everything(void **state) {
  (void)state;
  check_dropout(0, 3);
}

static void test_dropout_does_not_depend_on_how_rows_are_cut(void **state) {
  (void)state;
  dice d = {.seed = 22};
  real *whole = dice_reals(&d, ROWS * LD, 1), *parts = NEW(real, ROWS * LD);
  memcpy(parts, whole, ROWS * LD * sizeof *parts);
  rf_dropout(&draw, 0.5, 10, ROWS, WIDTH, whole, LD);
  rf_dropout(&draw, 0.5, 10, 3, WIDTH, parts, LD);
  rf_dropout(&draw, 0.5, 13, ROWS - 3, WIDTH, parts + 3 * LD, LD);
  assert_same_bits("rows in two parts", ROWS * LD, parts, whole);
  free(whole);
  free(parts);
}

static void test_attention_factors_are_drawn_at_query_and_key(void **state) {
  (void)state;
  enum { N = 45 };
  const int32_t queries[] = {0, 1, 63, 64, 12345, RF_RNG_MAX_POSITION - 1};
  for (size_t q = 0; q < sizeof queries / sizeof *queries; q++) {
    dice d = {.seed = 23};
    int32_t keys[N];
    real factor[N];
    for (int j = 0; j < N; j++) keys[j] = (int32_t)dice_below(&d, RF_RNG_MAX_POSITION);
    keys[0] = RF_RNG_MAX_POSITION - 1;
    keys[1] = 0;
    rf_dropout_factors(&draw, 0.4, queries[q], keys, N, factor);
    for (int j = 0; j < N; j++) {
      uint32_t words[4];
      rf_draw_words(&draw, (uint64_t)queries[q] * RF_RNG_MAX_POSITION + (uint64_t)keys[j], words);
      const bool kept = (double)words[0] >= floor(0.4 * 4294967296.0);
      assert_true(factor[j] == (kept ? (real)(1 / (1 - 0.4)) : 0));
    }
  }
}

/* 40,000 elements: five standard deviations of the share of dropped ones. */
static void test_the_share_of_dropped_elements_is_the_rate(void **state) {
  (void)state;
  enum { N = 40000 };
  const double rates[] = {0.1, 0.5, 0.9};
  for (int r = 0; r < 3; r++) {
    real *x = NEW(real, N);
    int dropped = 0;
    for (int i = 0; i < N; i++) x[i] = 1;
    rf_dropout(&draw, rates[r], 0, N / 100, 100, x, 100);
    for (int i = 0; i < N; i++) dropped += x[i] == 0;
    const double deviation = sqrt(rates[r] * (1 - rates[r]) / N);
    assert_close("share", fabs((double)dropped / N - rates[r]), 5 * deviation);
    free(x);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_dropout_takes_one_word_an_element),
      cmocka_unit_test(test_rate_zero_leaves_everything),
      cmocka_unit_test(test_dropout_does_not_depend_on_how_rows_are_cut),
      cmocka_unit_test(test_attention_factors_are_drawn_at_query_and_key),
      cmocka_unit_test(test_the_share_of_dropped_elements_is_the_rate),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
