/* A table of tensors: where it describes them is where it places them. */
#include "nn/tensors.h"
#include "support/numbers.h"

enum { SCALE, ABSENT, WEIGHT, BIAS, TENSORS };

static const rf_tensor_entry table[TENSORS] = {[SCALE] = {"scale", RF_INIT_ONE, 1, {5}},
                                               [ABSENT] = {"absent", RF_INIT_NORMAL, 0, {100}},
                                               [WEIGHT] = {"weight", RF_INIT_NORMAL, 2, {7, 9}},
                                               [BIAS] = {"bias", RF_INIT_ZERO, 1, {7}}};

static void test_tensors_lie_where_they_are_described(void **state) {
  (void)state;
  rf_block block = {.name = "block"};
  int64_t at[TENSORS];
  rf_tensors_place(TENSORS, table, at);
  assert_ok(rf_tensors_describe(TENSORS, table, "first", &block));
  const int64_t size = block.size;
  assert_ok(rf_tensors_describe(TENSORS, table, "second", &block));
  const int described[] = {SCALE, WEIGHT, BIAS};
  assert_int_equal(block.n_tensors, 6);
  for (int i = 0; i < 6; i++) {
    const rf_tensor *tensor = &block.tensors[i];
    const rf_tensor_entry *entry = &table[described[i % 3]];
    char name[RF_MAX_NAME];
    snprintf(name, sizeof name, "%s.%s", i < 3 ? "first" : "second", entry->name);
    assert_string_equal(tensor->name, name);
    assert_int_equal(tensor->offset, at[described[i % 3]] + (i < 3 ? 0 : size));
    assert_int_equal(tensor->offset % RF_TENSOR_ALIGN, 0);
    assert_int_equal(tensor->init, entry->init);
    assert_memory_equal(tensor->shape, entry->shape, (size_t)entry->n_dims * sizeof *entry->shape);
  }
  assert_int_equal(at[ABSENT], at[WEIGHT]); /* takes no place */
  assert_int_equal(size, at[BIAS] + rf_aligned(7));
  assert_int_equal(block.size, 2 * size);
  free(block.tensors);
}

static void test_no_vector_has_no_tensors(void **state) {
  (void)state;
  const real params[3] = {0};
  assert_null(rf_tensor_at(NULL, 2));
  assert_ptr_equal(rf_tensor_at(params, 2), params + 2);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_tensors_lie_where_they_are_described),
      cmocka_unit_test(test_no_vector_has_no_tensors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
