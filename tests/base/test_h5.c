/* Handles of one scope: closed together, and no more than there is room for. */
#include "base/h5.h"
#include "support/numbers.h"

static void test_handles_are_closed_together(void **state) {
  (void)state;
  rf_h5 h = {0};
  const hid_t list = rf_h5_keep(&h, H5Pcreate(H5P_DATASET_CREATE)), space = rf_h5_keep(&h, H5Screate(H5S_SCALAR));
  assert_true(list >= 0 && space >= 0);
  assert_int_equal(rf_h5_keep(&h, -1), -1); /* what could not be made is not kept */
  assert_int_equal(h.n, 2);
  assert_true(rf_h5_close(&h));
  assert_int_equal(h.n, 0);
  assert_int_equal(H5Iis_valid(list), 0);
  assert_int_equal(H5Iis_valid(space), 0);
}

static void test_one_handle_more_than_there_is_room_for_is_refused_and_closed(void **state) {
  (void)state;
  struct {
    rf_h5 h;
    hid_t behind;
  } scope = {.behind = 77};
  hid_t last = -1;
  for (int i = 0; i < RF_H5_HANDLES; i++) assert_true(rf_h5_keep(&scope.h, H5Screate(H5S_SCALAR)) >= 0);
  last = H5Screate(H5S_SCALAR);
  assert_true(last >= 0);
  assert_true(rf_h5_keep(&scope.h, last) < 0);
  assert_int_equal(H5Iis_valid(last), 0);
  assert_int_equal(scope.behind, 77);
  assert_int_equal(scope.h.n, RF_H5_HANDLES);
  assert_true(rf_h5_close(&scope.h));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_handles_are_closed_together),
    cmocka_unit_test(test_one_handle_more_than_there_is_room_for_is_refused_and_closed),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
