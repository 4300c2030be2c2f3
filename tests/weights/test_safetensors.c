/* Files from elsewhere: read to the bit where they are right, refused by the tensor's name where they are not. */
#include "checkpoint/folder.h"
#include "support/files.h"
#include "weights/safetensors.h"

static void put_file(const char *path, const char *header, int64_t length, const void *data, int64_t data_bytes) {
  unsigned char *bytes = NEW(unsigned char, 8 + length + data_bytes);
  for (int i = 0; i < 8; i++) bytes[i] = (unsigned char)((uint64_t)length >> 8 * i);
  memcpy(bytes + 8, header, (size_t)length);
  if (data_bytes > 0) memcpy(bytes + 8 + length, data, (size_t)data_bytes);
  file_write(path, bytes, 8 + length + data_bytes);
  free(bytes);
}

/* Tensors of 8 bytes of data in all. */
static const char good[] = "{\"__metadata__\":{\"format\":\"pt\"},\"a\":{\"dtype\":\"F32\",\"shape\":[1,1],\"data_"
                           "offsets\":[0,4]},\"b.c\":{\"dtype\":\"F16\",\"shape\":[2],\"data_offsets\":[4,8]},"
                           "\"none\":{\"dtype\":\"F32\",\"shape\":[0,3],\"data_offsets\":[8,8]}}   ";

static void test_every_half_and_brain_float_survives_the_way_there_and_back(void **state) {
  (void)state;
  static const rf_dtype dtypes[] = {RF_F16, RF_BF16};
  for (int k = 0; k < 2; k++)
    for (uint32_t bits = 0; bits < 1 << 16; bits++) {
      const uint16_t in = (uint16_t)bits;
      uint16_t out;
      real value;
      assert_int_equal(rf_dtype_read(dtypes[k], 1, &in, &value), 0);
      assert_int_equal(rf_dtype_write(dtypes[k], 1, &value, &out), -1);
      if (isnan(value))
        assert_true(rf_dtype_read(dtypes[k], 1, &out, &value) == 0 && isnan(value));
      else if (out != in)
        fail_msg("%s %04x became %04x", rf_dtype_name(dtypes[k]), in, out);
    }
}

#ifdef RF_DOUBLE
#define NEXT_AFTER nextafter
#else
#define NEXT_AFTER nextafterf
#endif

/* Between neighbours the nearer one is taken, and at the middle the even one. */
static void test_numbers_between_two_halves_go_to_the_nearer_or_the_even_one(void **state) {
  (void)state;
  const struct {
    rf_dtype dtype;
    uint16_t largest;
  } types[] = {{RF_F16, 0x7bff}, {RF_BF16, 0x7f7f}};
  for (int k = 0; k < 2; k++)
    for (uint16_t bits = 0; bits < types[k].largest; bits++) {
      const uint16_t pair[] = {bits, (uint16_t)(bits + 1)}, even = bits % 2 ? pair[1] : pair[0];
      real values[2];
      (void)rf_dtype_read(types[k].dtype, 2, pair, values);
      const real middle = values[0] + (values[1] - values[0]) / 2;
      const real tried[] = {NEXT_AFTER(middle, values[0]), middle, NEXT_AFTER(middle, values[1])};
      const uint16_t wanted[] = {pair[0], even, pair[1]};
      uint16_t found[3];
      assert_int_equal(rf_dtype_write(types[k].dtype, 3, tried, found), -1);
      for (int i = 0; i < 3; i++)
        if (found[i] != wanted[i] && tried[i] != values[0] && tried[i] != values[1])
          fail_msg("%s: %.20g became %04x, not %04x", rf_dtype_name(types[k].dtype), (double)tried[i], found[i],
                   wanted[i]);
    }
}

static void test_a_number_too_large_for_a_half_is_found(void **state) {
  (void)state;
  const real values[] = {(real)65519, (real)-65520, (real)1e5};
  uint16_t half[3];
  assert_int_equal(rf_dtype_write(RF_F16, 1, values, half), -1);
  assert_int_equal(half[0], 0x7bff);
  assert_int_equal(rf_dtype_write(RF_F16, 3, values, half), 1);
}

static void test_what_is_written_reads_back_the_same(void **state) {
  (void)state;
  const char *folder = folder_make();
  char path[256];
  snprintf(path, sizeof path, "%s/m.safetensors", folder);
  dice d = {.seed = 5};
  real *values = dice_reals(&d, 30001, 1), *back = NEW(real, 30001);
  const rf_safe_source sources[] = {
      {.name = "first", .n_dims = 3, .shape = {1, 1, 30001}, .values = values},
      {.name = "a scalar \"with\" quotes", .n_dims = 0, .values = values + 1},
  };
  assert_ok(rf_safetensors_write(path, false, RF_REAL_DTYPE, 2, sources));
  rf_safetensors file;
  assert_ok(rf_safetensors_open(path, &file));
  assert_int_equal(file.n_tensors, 2);
  assert_int_equal(file.data % 8, 0);
  int64_t rounded = 0;
  const rf_safetensor *first = rf_safetensors_find(&file, "first");
  assert_non_null(first);
  assert_int_equal(first->n_dims, 3);
  assert_int_equal(first->count, 30001);
  assert_ok(rf_safetensors_read(&file, first, back, &rounded));
  assert_int_equal(rounded, 0);
  assert_memory_equal(values, back, 30001 * sizeof(real));
  assert_ok(rf_safetensors_read(&file, rf_safetensors_find(&file, sources[1].name), back, &rounded));
  assert_memory_equal(values + 1, back, sizeof(real));
  assert_null(rf_safetensors_find(&file, "third"));
  rf_safetensors_close(&file);
  free(values);
  free(back);
  folder_remove(folder);
}

static void test_values_that_do_not_fit_are_refused_by_name(void **state) {
  (void)state;
  const char *folder = folder_make();
  char path[256];
  snprintf(path, sizeof path, "%s/m.safetensors", folder);
  const float values[] = {1, INFINITY};
  static const char header[] = "{\"w\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}";
  put_file(path, header, (int64_t)strlen(header), values, 8);
  rf_safetensors file;
  real read[2];
  int64_t rounded = 0;
  assert_ok(rf_safetensors_open(path, &file));
  assert_int_equal(rf_safetensors_read(&file, &file.tensors[0], read, &rounded), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "tensor w: value 1"));
  rf_safetensors_close(&file);
  const real large[] = {1, (real)70000};
  const rf_safe_source source = {.name = "w", .n_dims = 1, .shape = {2}, .values = large};
  assert_int_equal(unlink(path), 0);
  assert_int_equal(rf_safetensors_write(path, false, RF_F16, 1, &source), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "tensor w: value 1 is 70000"));
  assert_int_equal(access(path, F_OK), -1);
  folder_remove(folder);
}

static void test_headers_that_lie_are_refused_by_the_name_of_the_tensor(void **state) {
  (void)state;
  static const struct {
    const char *header, *message;
  } cases[] = {
      {"", "no JSON"},
      {"[]", "no JSON"},
      {" {}", "no JSON"},
      {"{", "JSON"},
      {"{}", "8 bytes at its end belong to no tensor"},
      {"{\"a\":1}", "tensor a"},
      {"{\"a\":{}}", "tensor a: its dtype"},
      {"{\"\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", "name of 0 bytes"},
      {"{\"a\\nb\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]}}", "a?b"},
      {"{\"a\":{\"dtype\":\"F8\",\"shape\":[1],\"data_offsets\":[0,8]}}", "tensor a: its dtype"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":1,\"data_offsets\":[0,8]}}", "tensor a: its shape"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[-1],\"data_offsets\":[0,8]}}", "tensor a: its shape"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1.0],\"data_offsets\":[0,8]}}", "tensor a: its shape"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,8]}}", "more than 8"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,8]}}", "counted"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[9223372036854775807],\"data_offsets\":[0,8]}}", "counted"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[99999999999999999999],\"data_offsets\":[0,8]}}", "JSON"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0]}}", "tensor a: its data_offsets"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8,16]}}", "tensor a: its data_offsets"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[8,0]}}", "tensor a: its data_offsets"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[-8,0]}}", "tensor a: its data_offsets"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[1,9]}}", "tensor a: its data_offsets lie outside"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,8]}}", "another number of bytes"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]}}", "4 bytes at its end"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}", "tensor a: bytes in front of it"},
      {"{\"a\":{\"dtype\":\"F64\",\"shape\":[1],\"data_offsets\":[0,8]},"
       "\"b\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
       "tensor b: its bytes overlap"},
      {"{\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[0,4]},"
       "\"a\":{\"dtype\":\"F32\",\"shape\":[1],\"data_offsets\":[4,8]}}",
       "duplicate object key near '\"a\"'"},
  };
  const char *folder = folder_make();
  char path[256];
  snprintf(path, sizeof path, "%s/m.safetensors", folder);
  const double data = 1;
  rf_safetensors file;
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
    put_file(path, cases[i].header, (int64_t)strlen(cases[i].header), &data, 8);
    if (rf_safetensors_open(path, &file) != RF_BAD_DATA) fail_msg("accepted: %s", cases[i].header);
    if (!strstr(rf_error_message(), cases[i].message) || !strstr(rf_error_message(), "m.safetensors"))
      fail_msg("%s: %s", cases[i].header, rf_error_message());
  }
  /* Lengths that the file does not have. */
  static const unsigned char lengths[][8] = {{255, 255, 255, 255, 255, 255, 255, 255},
                                             {0, 0, 0, 0, 0, 0, 0, 128},
                                             {3, 0, 0, 0, 0, 0, 0, 0},
                                             {1, 225, 245, 5, 0, 0, 0, 0}};
  for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
    file_write(path, lengths[i], 8);
    assert_int_equal(rf_safetensors_open(path, &file), RF_BAD_DATA);
  }
  file_write(path, lengths[0], 7);
  assert_int_equal(rf_safetensors_open(path, &file), RF_BAD_DATA);
  assert_int_equal(rf_safetensors_open(folder, &file), RF_BAD_DATA);
  put_file(path, good, (int64_t)strlen(good), &data, 8);
  assert_ok(rf_safetensors_open(path, &file));
  assert_int_equal(file.n_tensors, 3);
  rf_safetensors_close(&file);
  folder_remove(folder);
}

/* One change to a header: a byte, a cut, a doubled piece, or a number for a number. */
static int64_t mutate(dice *d, char *header, int64_t length) {
  static const char *const numbers[] = {"0",   "-1", "4",    "8",   "9223372036854775807", "18446744073709551616",
                                        "1e9", "[]", "null", "\"\""};
  const int64_t at = dice_below(d, length), n = 1 + dice_below(d, length - at < 40 ? length - at : 40);
  const char *number = numbers[dice_below(d, 10)];
  switch (dice_below(d, 5)) {
  case 0: header[at] = (char)dice_below(d, 256); return length;
  case 1: header[at] = (char)(header[at] ^ 1 << dice_below(d, 8)); return length;
  case 2: memmove(header + at, header + at + n, (size_t)(length - at - n)); return length - n;
  case 3: memmove(header + at + n, header + at, (size_t)(length - at)); return length + n;
  default:
    for (int64_t i = at; i < length; i++) {
      if (header[i] < '0' || header[i] > '9') continue;
      const int64_t more = (int64_t)strlen(number) - 1;
      memmove(header + i + 1 + more, header + i + 1, (size_t)(length - i - 1));
      memcpy(header + i, number, (size_t)more + 1);
      return length + more;
    }
    return length;
  }
}

static void test_mutated_files_never_crash_the_reader(void **state) {
  (void)state;
  const char *folder = folder_make();
  char path[256];
  snprintf(path, sizeof path, "%s/m.safetensors", folder);
  dice d = {.seed = 77};
  const float data[] = {1.5F, 0};
  int accepted = 0;
  for (int round = 0; round < 6000; round++) {
    char header[1024];
    int64_t length = (int64_t)strlen(good);
    memcpy(header, good, sizeof good);
    for (int64_t change = dice_below(&d, 3); change >= 0 && length > 1 && length < 900; change--)
      length = mutate(&d, header, length);
    put_file(path, header, length, data, dice_below(&d, 8) == 0 ? dice_below(&d, 8) : 8);
    rf_safetensors file;
    const rf_status status = rf_safetensors_open(path, &file);
    if (status != RF_OK && status != RF_BAD_DATA) fail_msg("round %d: status %d", round, status);
    int64_t bytes = 0, rounded = 0;
    for (int64_t i = 0; status == RF_OK && i < file.n_tensors; i++) {
      real *values = NEW(real, file.tensors[i].count);
      bytes += file.tensors[i].bytes;
      const rf_status read = rf_safetensors_read(&file, &file.tensors[i], values, &rounded);
      if (read != RF_OK && read != RF_BAD_DATA) fail_msg("round %d: status %d", round, read);
      free(values);
    }
    if (status == RF_OK && bytes > 8) fail_msg("round %d: %lld bytes of 8", round, (long long)bytes);
    accepted += status == RF_OK;
    rf_safetensors_close(&file);
  }
  assert_in_range(accepted, 1, 5000); /* the mutations reach both sides */
  folder_remove(folder);
}

static void test_weights_in_another_format_are_told(void **state) {
  (void)state;
  static const foreign_file rows[] = {
      FOREIGN("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer", "git lfs pull"),
      FOREIGN("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl", "is a file of PyTorch",
              "save_pretrained(DIR)"),
      FOREIGN("\x80\2}q\0(X\3\0\0\0abcq\1", "is a Python pickle", "save_pretrained(DIR)"),
      FOREIGN("GGUF\3\0\0\0", "is a GGUF model", "a .safetensors file"),
      FOREIGN("\x89HDF\r\n\x1a\n", "is an HDF5 file", "a .safetensors file"),
      FOREIGN("\x93NUMPY\1\0", "is a NumPy array", "a .safetensors file"),
      FOREIGN("\x1f\x8b\x08\0", "is a gzip archive", "gunzip"),
      FOREIGN("\n<!DOCTYPE html>", "is an HTML page", "login"),
      FOREIGN("{\"metadata\": {}, \"weight_map\": {", "is the index of a model", "max_shard_size"),
      FOREIGN("{\"architectures\": [\"Reformer", "is HuggingFace's description", "a .safetensors file")};
  const char *folder = folder_make();
  const char *path = folder_path(folder, "m.safetensors");
  rf_safetensors file;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    foreign_write(path, &rows[i], 200);
    assert_int_equal(rf_safetensors_open(path, &file), RF_BAD_DATA);
    for (int k = 0; k < 2; k++)
      if (!strstr(rf_error_message(), rows[i].texts[k])) fail_msg("%s: %s", rows[i].texts[k], rf_error_message());
  }
  assert_int_equal(rf_safetensors_open(folder, &file), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "is a folder; name the .safetensors file in it"));
  folder_remove(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_every_half_and_brain_float_survives_the_way_there_and_back),
      cmocka_unit_test(test_numbers_between_two_halves_go_to_the_nearer_or_the_even_one),
      cmocka_unit_test(test_a_number_too_large_for_a_half_is_found),
      cmocka_unit_test(test_what_is_written_reads_back_the_same),
      cmocka_unit_test(test_values_that_do_not_fit_are_refused_by_name),
      cmocka_unit_test(test_headers_that_lie_are_refused_by_the_name_of_the_tensor),
      cmocka_unit_test(test_weights_in_another_format_are_told),
      cmocka_unit_test(test_mutated_files_never_crash_the_reader),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
