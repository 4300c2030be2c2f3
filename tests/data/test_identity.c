/* A file of data is told from another one, and what became of it is known, by samples. */
#include "reformer/dataset.h"
#include "support/files.h"
#include <fcntl.h>
#include <unistd.h>

static char path[] = "/tmp/reformer-test-XXXXXX";
static unsigned char *bytes; /* more than any file here has */
enum { MOST = RF_SAMPLES * RF_SAMPLE_BYTES * 3 };

static int make_file(void **state) {
  (void)state;
  const int file = mkstemp(path);
  bytes = malloc(MOST);
  if (file < 0 || !bytes) return -1;
  uint32_t x = 1;
  for (int i = 0; i < MOST; i++) bytes[i] = (unsigned char)((x = x * 1664525u + 1013904223u) >> 24);
  return close(file);
}

static int remove_file(void **state) {
  (void)state;
  free(bytes);
  return unlink(path);
}

static rf_dataset *open_file(int64_t size) {
  file_write(path, bytes, size);
  rf_data_config config = {.kind = RF_DATA_BYTES, .length = 1, .split = {1, 0, 0}};
  (void)snprintf(config.path, sizeof config.path, "%s", path);
  rf_dataset *dataset;
  assert_ok(rf_dataset_open(&config, 256, 1, &dataset));
  return dataset;
}

static rf_data_identity identity_of(int64_t size) {
  rf_data_identity identity;
  rf_dataset *dataset = open_file(size);
  assert_ok(rf_dataset_identify(dataset, &identity));
  rf_dataset_destroy(dataset);
  return identity;
}

static void assert_became(const rf_data_identity *before, int64_t size, rf_data_change expected) {
  rf_data_change change;
  rf_dataset *dataset = open_file(size);
  assert_ok(rf_dataset_compare(dataset, before, &change));
  assert_int_equal(change, expected);
  rf_dataset_destroy(dataset);
}

static const int64_t sizes[] = {1,
                                1000,
                                RF_SAMPLE_BYTES,
                                RF_SAMPLE_BYTES + 1,
                                RF_SAMPLES *RF_SAMPLE_BYTES - 1,
                                RF_SAMPLES *RF_SAMPLE_BYTES,
                                RF_SAMPLES *RF_SAMPLE_BYTES + 1,
                                2 * RF_SAMPLES *RF_SAMPLE_BYTES + 77};

static void test_a_file_that_grows_or_is_cut_or_replaced_is_found_out(void **state) {
  (void)state;
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    const int64_t size = sizes[i];
    const rf_data_identity before = identity_of(size);
    assert_int_equal(before.bytes, size);
    assert_became(&before, size, RF_DATA_SAME);
    assert_became(&before, size + 1, RF_DATA_GROWN);
    assert_became(&before, size + RF_SAMPLE_BYTES * 3, RF_DATA_GROWN);
    if (size > RF_SAMPLE_BYTES) assert_became(&before, size - 1, RF_DATA_CUT);
    for (int end = 0; end < 2; end++) { /* the first and the last byte are always in a sample */
      unsigned char *byte = &bytes[end == 0 ? 0 : size - 1];
      *byte ^= 1;
      assert_became(&before, size, RF_DATA_REPLACED);
      assert_became(&before, size + 5, RF_DATA_REPLACED);
      *byte ^= 1;
    }
  }
}

static void test_a_small_file_is_known_in_every_byte(void **state) {
  (void)state;
  const int64_t size = RF_SAMPLE_BYTES * 2 + 100;
  const rf_data_identity before = identity_of(size);
  for (int64_t at = 0; at < size; at += 4099) {
    bytes[at] ^= 64;
    assert_became(&before, size, RF_DATA_REPLACED);
    bytes[at] ^= 64;
  }
}

/* 64 KiB of every 128: a change of that length is always met, whatever the place. */
static void test_a_large_file_is_sampled_evenly(void **state) {
  (void)state;
  const int64_t size = (int64_t)2 * RF_SAMPLES * RF_SAMPLE_BYTES;
  const rf_data_identity before = identity_of(size);
  for (int64_t at = 0; at + 2 * RF_SAMPLE_BYTES <= size; at += 7 * RF_SAMPLE_BYTES + 1) {
    for (int64_t k = 0; k < 2 * RF_SAMPLE_BYTES; k++) bytes[at + k] ^= 1;
    assert_became(&before, size, RF_DATA_REPLACED);
    for (int64_t k = 0; k < 2 * RF_SAMPLE_BYTES; k++) bytes[at + k] ^= 1;
  }
}

static void test_what_has_no_file_is_the_same_as_ever(void **state) {
  (void)state;
  const rf_data_identity nothing = {0}, before = identity_of(1000);
  rf_data_identity identity;
  rf_data_change change;
  rf_dataset *dataset;
  const rf_data_config config = {.kind = RF_DATA_DUPLICATE, .length = 8, .split = {1, 0, 0}};
  assert_became(&nothing, 500, RF_DATA_SAME);
  assert_ok(rf_dataset_open(&config, 128, 1, &dataset));
  assert_ok(rf_dataset_identify(dataset, &identity));
  assert_int_equal(identity.bytes, 0);
  assert_ok(rf_dataset_compare(dataset, &before, &change));
  assert_int_equal(change, RF_DATA_SAME);
  rf_dataset_destroy(dataset);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_file_that_grows_or_is_cut_or_replaced_is_found_out),
    cmocka_unit_test(test_a_small_file_is_known_in_every_byte),
    cmocka_unit_test(test_a_large_file_is_sampled_evenly),
    cmocka_unit_test(test_what_has_no_file_is_the_same_as_ever),
};

int main(void) { return cmocka_run_group_tests(tests, make_file, remove_file); }
