#include "kernel/bf16.h"
#include "support/numbers.h"
#include <math.h>

/* Every bfloat16 that is a number becomes itself again. */
static void test_cutting_undoes_appending_zeros(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits < 1U << 16; bits++) {
    const real x = rf_bf16_value((uint16_t)bits);
    if (isnan(x))
      assert_true(isnan(rf_bf16_value(rf_bf16_of(x))));
    else
      assert_int_equal(rf_bf16_of(x), bits);
  }
}

/* Between two neighbours the nearer one is taken, and of two equally near the even one. */
static void test_rounding_takes_the_nearest_and_of_two_the_even_one(void **state) {
  (void)state;
  for (uint32_t bits = 0; bits < 0x7f7fU; bits++) {
    const double low = (double)rf_bf16_value((uint16_t)bits), high = (double)rf_bf16_value((uint16_t)(bits + 1));
    const double middle = (low + high) / 2, off = (high - low) / 256;
    assert_int_equal(rf_bf16_of((real)(middle - off)), bits);
    assert_int_equal(rf_bf16_of((real)(middle + off)), bits + 1);
    assert_int_equal(rf_bf16_of((real)middle), bits % 2 == 0 ? bits : bits + 1);
    assert_int_equal(rf_bf16_of((real)-middle), (bits % 2 == 0 ? bits : bits + 1) | 0x8000U);
  }
}

static void test_what_is_too_large_becomes_infinite(void **state) {
  (void)state;
  assert_true(isinf(rf_bf16_value(rf_bf16_of((real)FLT_MAX))));
  assert_true(isinf(rf_bf16_value(rf_bf16_of((real)-INFINITY))));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_cutting_undoes_appending_zeros),
    cmocka_unit_test(test_rounding_takes_the_nearest_and_of_two_the_even_one),
    cmocka_unit_test(test_what_is_too_large_becomes_infinite),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
