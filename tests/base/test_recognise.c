/* A file given for another is known by its first bytes, and one that is only like it is not. */
#include "base/recognise.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>

static void assert_is(const void *head, size_t length, const char *name) {
  const rf_recognised *what = rf_recognise(head, length);
  if (!what && name) fail_msg("not recognised: %s", name);
  if (what && !name) fail_msg("recognised as %s", what->name);
  if (name && !strstr(what->name, name)) fail_msg("recognised as %s, not %s", what->name, name);
}

static void test_known_beginnings_are_named(void **state) {
  (void)state;
#define ROW(bytes, name)                                                                                               \
  { bytes, sizeof(bytes) - 1, name }
  static const struct {
    const char *bytes;
    size_t length;
    const char *name;
  } rows[] = {
      ROW("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a", "Git LFS"),
      ROW("\x1f\x8b\x08\0", "gzip"),
      ROW("BZh61AY&SY", "bzip2"),
      ROW("\xfd"
          "7zXZ\0\0",
          "xz"),
      ROW("\x28\xb5\x2f\xfd\x04", "zstd"),
      ROW("7z\xbc\xaf\x27\x1c", "7z"),
      ROW("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.txt", "a zip archive"),
      ROW("PK\3\4\x14\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0a.npy", ".npz"),
      ROW("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x10\0\0\0archive/data.pkl", "PyTorch"),
      ROW("PK\3\4\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0", "a zip archive"), /* cut off */
      ROW("\x80\2\x8a\x0al\xfc\x9c"
          "F\xf9 j\xa8P\x19.",
          "pickle"),
      ROW("\x80\2}q\0(X\3\0\0\0abcq\1", "pickle"),
      ROW("\x80\2"
          "ccollections\nOrderedDict\n",
          "pickle"),
      ROW("\x80\4\x95\x20\1\0\0\0\0\0\0}\x94(\x8c", "pickle"),
      ROW("\x93NUMPY\1\0v\0{'descr'", "NumPy"),
      ROW("\x89HDF\r\n\x1a\n", "HDF5"),
      ROW("PAR1\x15\4", "Parquet"),
      ROW("ARROW1\0\0", "Arrow table"),
      ROW("\xff\xff\xff\xff\xe0\1\0\0\x10\0\0\0\0\0", "Arrow stream"),
      ROW("GGUF\3\0\0\0", "GGUF"),
      ROW("MMIDIDX\0\0\1", "Megatron"),
      ROW("\x88\xd8\x34\1\1\0\0\0", "llm.c"),
      ROW("\x40\1\0\0\0\0\0\0{\"a\":{\"dtype\"", "safetensors"),
      ROW("{\"metadata\": {\"total_size\": 5}, \"weight_map\": {\"a\"", "index of a model"),
      ROW("{\n  \"architectures\": [\"ReformerModelWithLMHead\"],", "config.json"),
      ROW("\r\n<!DOCTYPE html>\n<html>", "HTML"),
      ROW("<HTML><head>", "HTML"),
      ROW("<?xml version=\"1.0\"?>\n<Error><Code>AccessDenied", "HTML"),
      ROW("%PDF-1.7\n", "PDF"),
      ROW("version https://hawser.github.com/spec/v1\noid", "old Git LFS"),
      ROW("/annex/objects/MD5E-s3--f.bin\n", "git-annex"),
      ROW("outs:\n- md5: 4d7a\n  size: 7\n  path: tokens.bin\n", "DVC"),
      ROW("RIFF\x24\x08\0\0WAVEfmt \x10", "WAV"),
      ROW("\x89PNG\r\n\x1a\n\0", "PNG"),
      ROW("\xff\xd8\xff\xe0\0\x10JFIF", "JPEG"),
      ROW("\x7f"
          "ELF\2\1\1",
          "ELF"),
      ROW("MATLAB 5.0 MAT-file, Platform: GLNXA64", "MATLAB"),
      ROW("ORC\x0a\x06\x12\4\x08", "ORC"),
      ROW("ORCHARDS and fields", NULL),
      ROW("ORC\nblood", NULL),
      ROW("outs: none", NULL),
      ROW("", NULL),
      ROW("{\"model\": {\"d_model\": 64}}", NULL),
      ROW("version: 1\n", NULL),
      ROW("<?xml version=\"1.0\"?>\n<mediawiki", NULL), /* enwik8 is such */
      ROW("PK", NULL),
      ROW("\x80\2", NULL),
      ROW("\x80\2\x10\0\x80\2\x95\0\x80\2\x95\0\x80\2\x95\0\x80\2\x95\0", NULL), /* tokens */
      ROW("\x80\4\x95\1\x80\2\x95\0\x80\2\x95\1\x80\2\x95\0\x80\2\x95\0", NULL),
  };
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) assert_is(rows[i].bytes, rows[i].length, rows[i].name);
  char tar[512] = "data/part-0.txt";
  memcpy(tar + 257,
         "ustar\0"
         "00",
         8);
  assert_is(tar, sizeof tar, "tar");
}

/* Ids of a vocabulary, two and four bytes each: none of twenty thousand beginnings is taken for something else. */
static void test_tokens_are_taken_for_nothing_else(void **state) {
  (void)state;
  srand(3);
  for (int i = 0; i < 20000; i++) {
    uint16_t two[128];
    uint32_t four[64];
    for (int k = 0; k < 128; k++) two[k] = (uint16_t)(rand() % 50257);
    for (int k = 0; k < 64; k++) four[k] = (uint32_t)(rand() % 50257);
    assert_is(two, sizeof two, NULL);
    assert_is(four, sizeof four, NULL);
    assert_false(rf_is_text(two, sizeof two));
    assert_false(rf_is_text(four, sizeof four));
    assert_int_equal(rf_is_wide_text(two, sizeof two), RF_WIDE_NONE);
    assert_int_equal(rf_is_wide_text(four, sizeof four), RF_WIDE_NONE);
  }
}

static void test_text_is_told_from_numbers(void **state) {
  (void)state;
  static const char line[] = "Eine Zeile,\r\n\teinger\xc3\xbc"
                             "ckt.\n";
  char text[RF_LEAST_TEXT + sizeof line] = "";
  while (strlen(text) < RF_LEAST_TEXT) strcat(text, line);
  assert_true(rf_is_text(text, strlen(text)));
  assert_false(rf_is_text(text, strlen(text) + 1)); /* a zero byte */
  assert_false(rf_is_text(text, RF_LEAST_TEXT - 1));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_known_beginnings_are_named),
      cmocka_unit_test(test_tokens_are_taken_for_nothing_else),
      cmocka_unit_test(test_text_is_told_from_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
