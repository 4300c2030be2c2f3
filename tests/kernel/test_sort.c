/* Items by their keys, against inserting one after the other. */
#include "kernel/sort.h"
#include "support/numbers.h"

enum { MOST = 1000 };

static void sort_plainly(int64_t n, uint64_t *keyed) {
  for (int64_t i = 1; i < n; i++)
    for (int64_t j = i; j > 0 && rf_key_of(keyed[j - 1]) > rf_key_of(keyed[j]); j--) {
      const uint64_t later = keyed[j - 1];
      keyed[j - 1] = keyed[j];
      keyed[j] = later;
    }
}

static void test_keys_of_any_width_are_sorted_and_equal_ones_stay_in_order(void **state) {
  (void)state;
  static const int64_t ends[] = {1, 2, 255, 256, 257, 65537, (1 << 24) + 1, INT64_C(1) << 32};
  uint64_t keyed[MOST], other[MOST], plain[MOST];
  uint64_t random = 7;
  for (size_t e = 0; e < sizeof ends / sizeof *ends; e++)
    for (int64_t n = 0; n <= MOST; n += 1 + n / 2) {
      for (int64_t i = 0; i < n; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        /* every third the greatest, and half of the others close together, so that there are equal ones */
        const int64_t width = random >> 60 & 1 ? ends[e] : 1 + ends[e] / 64 % 5;
        const int64_t key = i % 3 == 0 ? ends[e] - 1 : (int64_t)(random >> 20) % width;
        keyed[i] = plain[i] = rf_keyed((uint32_t)key, (uint32_t)i);
      }
      sort_plainly(n, plain);
      const uint64_t *sorted = rf_sort_by_key(n, ends[e], keyed, other);
      for (int64_t i = 0; i < n; i++) assert_int_equal(sorted[i], plain[i]);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_keys_of_any_width_are_sorted_and_equal_ones_stay_in_order),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
