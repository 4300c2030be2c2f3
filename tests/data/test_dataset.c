#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "reformer/dataset.h"

#include "support/files.h"

static char folder[] = "/tmp/rf-dataset-XXXXXX";

static int make_folder(void **state) {
  (void)state;
  return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state) {
  (void)state;
  return rmdir(folder);
}

static rf_data_config config_of(rf_data_kind kind, const char *name, int64_t length) {
  rf_data_config config = {.kind = kind, .token_bytes = 2, .length = length, .split = {0.5, 0.25, 0.25}};
  snprintf(config.path, sizeof config.path, "%s/%s", folder, name);
  return config;
}

/* Opening must fail with this status and a message that holds all of these texts. */
static void assert_refused(const rf_data_config *config, int64_t vocab_size, rf_status want,
                           const char *const texts[]) {
  rf_dataset *dataset = (rf_dataset *)1;
  assert_int_equal(rf_dataset_open(config, vocab_size, 1, &dataset), want);
  assert_null(dataset);
  for (int i = 0; texts[i]; i++)
    if (!strstr(rf_error_message(), texts[i])) fail_msg("'%s' is not in: %s", texts[i], rf_error_message());
}
#define TEXTS(...)                                                                                                     \
  (const char *const[]) { __VA_ARGS__, NULL }

static void test_bytes_are_tokens_and_labels_are_one_ahead(void **state) {
  (void)state;
  unsigned char bytes[400];
  for (int i = 0; i < 400; i++) bytes[i] = (unsigned char)(i * 37 + i / 256);
  rf_data_config config = config_of(RF_DATA_BYTES, "bytes", 30);
  file_write(config.path, bytes, sizeof bytes);
  rf_dataset *dataset;
  assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
  assert_int_equal(rf_dataset_sequences(dataset, RF_SPLIT_TRAIN), 5);
  assert_int_equal(rf_dataset_sequences(dataset, RF_SPLIT_VALIDATION), 3);
  assert_int_equal(rf_dataset_sequences(dataset, RF_SPLIT_TEST), 3);
  int32_t tokens[30], labels[30];
  for (uint64_t i = 0; i < 3; i++) {
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_TEST, i, 0, 30, tokens, labels), RF_OK);
    for (int t = 0; t < 30; t++) {
      assert_int_equal(tokens[t], bytes[300 + 30 * i + (uint64_t)t]);
      assert_int_equal(labels[t], t < 29 ? bytes[300 + 30 * i + (uint64_t)t + 1] : RF_IGNORE);
    }
  }
  for (uint64_t i = 0; i < 50; i++) { /* training windows are whole pieces of the training split */
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_TRAIN, i, 0, 30, tokens, labels), RF_OK);
    int found = 0;
    for (int start = 0; start + 30 <= 200; start++) {
      int t = 0;
      while (t < 30 && tokens[t] == bytes[start + t]) t++;
      found += t == 30;
    }
    assert_int_equal(found, 1);
  }
  rf_dataset_destroy(dataset);
  unlink(config.path);
}

static void assert_parts_equal_whole(const rf_dataset *dataset, int64_t length) {
  int32_t *whole = calloc((size_t)(4 * length), sizeof *whole);
  assert_non_null(whole);
  int32_t *labels = whole + length, *part = labels + length, *part_labels = part + length;
  for (int split = RF_SPLIT_TRAIN; split <= RF_SPLIT_TEST; split++)
    for (uint64_t index = 0; index < 3; index++) {
      assert_int_equal(rf_dataset_read(dataset, (rf_split)split, index, 0, length, whole, labels), RF_OK);
      assert_int_equal(labels[length - 1], RF_IGNORE);
      for (int64_t first = 0; first <= length; first += 3)
        for (int64_t count = 0; first + count <= length; count += 1 + count / 2) {
          assert_int_equal(rf_dataset_read(dataset, (rf_split)split, index, first, count, part, part_labels), RF_OK);
          assert_memory_equal(part, whole + first, (size_t)count * sizeof *part);
          assert_memory_equal(part_labels, labels + first, (size_t)count * sizeof *part);
        }
    }
  free(whole);
}

static void test_an_unknown_split_has_no_sequence(void **state) {
  (void)state;
  static const int unknown[] = {-1, 3, INT32_MAX, INT32_MIN};
  char text[4096], why[RF_MAX_SHORTAGE];
  memset(text, 'a', sizeof text);
  for (int file = 0; file < 2; file++) {
    const rf_data_config config = config_of(file ? RF_DATA_BYTES : RF_DATA_DUPLICATE, "unknown_split", 16);
    file_write(config.path, text, sizeof text);
    rf_dataset *dataset;
    int32_t tokens[16], labels[16];
    assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
      const rf_split split = (rf_split)unknown[i];
      assert_int_equal(rf_dataset_sequences(dataset, split), 0);
      assert_null(rf_dataset_shortage(dataset, split, why));
      assert_int_equal(rf_dataset_read(dataset, split, 0, 0, 16, tokens, labels), RF_BAD_CONFIG);
    }
    rf_dataset_destroy(dataset);
    (void)unlink(config.path);
  }
}

static void test_parts_of_a_sequence_equal_the_whole(void **state) {
  (void)state;
  unsigned char bytes[4000];
  for (int i = 0; i < 4000; i++) bytes[i] = (unsigned char)(i * i % 251);
  rf_data_config config = config_of(RF_DATA_BYTES, "parts", 32);
  file_write(config.path, bytes, sizeof bytes);
  rf_dataset *dataset;
  assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
  assert_parts_equal_whole(dataset, 32);
  rf_dataset_destroy(dataset);
  unlink(config.path);
  config.kind = RF_DATA_DUPLICATE;
  assert_int_equal(rf_dataset_open(&config, 128, 1, &dataset), RF_OK);
  assert_parts_equal_whole(dataset, 32);
  rf_dataset_destroy(dataset);
}

static void test_tokens_of_two_and_four_bytes_are_little_endian(void **state) {
  (void)state;
  const unsigned char two[] = {1, 2, 255, 255, 0, 1, 7, 0};
  const unsigned char four[] = {1, 2, 3, 0, 255, 255, 255, 127, 0, 0, 0, 1, 9, 0, 0, 0};
  const int32_t want[2][4] = {{0x201, 0xffff, 0x100, 7}, {0x30201, 0x7fffffff, 0x1000000, 9}};
  for (int width = 2; width <= 4; width += 2) {
    rf_data_config config = config_of(RF_DATA_TOKENS, "tokens", 4);
    config.token_bytes = width;
    config.split[0] = 0;
    config.split[1] = 1;
    config.split[2] = 0;
    file_write(config.path, width == 2 ? two : four, 4 * width);
    rf_dataset *dataset;
    int32_t tokens[4], labels[4];
    assert_int_equal(rf_dataset_open(&config, INT64_C(1) << 31, 1, &dataset), RF_OK);
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_VALIDATION, 0, 0, 4, tokens, labels), RF_OK);
    assert_memory_equal(tokens, want[width / 2 - 1], sizeof tokens);
    rf_dataset_destroy(dataset);
    unlink(config.path);
  }
}

static void test_a_token_beyond_the_vocabulary_is_named_with_its_place(void **state) {
  (void)state;
  uint32_t values[100];
  for (int bad = 0; bad < 2; bad++) {
    for (int i = 0; i < 100; i++) values[i] = (uint32_t)i;
    values[57] = bad ? 0xfffffffe : 500; /* also where an int32 would be negative */
    rf_data_config config = config_of(RF_DATA_TOKENS, "beyond", 10);
    config.token_bytes = 4;
    file_write(config.path, values, sizeof values);
    rf_dataset *dataset;
    int32_t tokens[10], labels[10];
    assert_int_equal(rf_dataset_open(&config, 500, 1, &dataset), RF_OK);
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_VALIDATION, 0, 0, 7, tokens, labels), RF_BAD_DATA);
    const char *const *texts = TEXTS("beyond", "byte 228", bad ? "4294967294" : "500", "0 to 499", "model.vocab_size");
    for (int i = 0; texts[i]; i++)
      if (!strstr(rf_error_message(), texts[i])) fail_msg("'%s' is not in: %s", texts[i], rf_error_message());
    /* as a label of the part before it, too */
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_VALIDATION, 0, 0, 6, tokens, labels), RF_OK);
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_VALIDATION, 0, 4, 3, tokens, labels), RF_BAD_DATA);
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_TEST, 0, 0, 10, tokens, labels), RF_OK);
    rf_dataset_destroy(dataset);
    unlink(config.path);
  }
}

static void test_bad_files_are_refused_with_what_to_do(void **state) {
  (void)state;
  char bytes[100] = {0};
  rf_data_config config = config_of(RF_DATA_BYTES, "missing", 64);
  assert_refused(&config, 256, RF_BAD_DATA, TEXTS("missing", "No such file", "data.path"));
  config.path[0] = '\0';
  assert_refused(&config, 256, RF_BAD_DATA, TEXTS("data.path"));
  config = config_of(RF_DATA_BYTES, ".", 64);
  assert_refused(&config, 256, RF_BAD_DATA, TEXTS(folder, "directory"));
  config = config_of(RF_DATA_BYTES, "pipe", 64);
  assert_int_equal(mkfifo(config.path, 0600), 0);
  assert_refused(&config, 256, RF_BAD_DATA, TEXTS("pipe", "plain file"));
  unlink(config.path);
  config = config_of(RF_DATA_BYTES, "empty", 64);
  file_write(config.path, bytes, 0);
  assert_refused(&config, 256, RF_BAD_DATA, TEXTS("empty", "data.path"));
  unlink(config.path);
  config = config_of(RF_DATA_BYTES, "short", 64);
  file_write(config.path, bytes, 100);
  assert_refused(&config, 256, RF_BAD_DATA, TEXTS("short", "50 tokens", "100", "64", "data.length", "data.split"));
  config.length = 50; /* just enough; the other splits are too short and have no sequence */
  rf_dataset *dataset;
  assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
  assert_int_equal(rf_dataset_sequences(dataset, RF_SPLIT_TRAIN), 1);
  assert_int_equal(rf_dataset_sequences(dataset, RF_SPLIT_VALIDATION), 0);
  int32_t tokens[50], labels[50];
  assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_VALIDATION, 0, 0, 50, tokens, labels), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "validation"));
  rf_dataset_destroy(dataset);
  config.kind = RF_DATA_TOKENS;
  file_write(config.path, bytes, 99);
  assert_refused(&config, 256, RF_BAD_DATA, TEXTS("short", "99 bytes", "multiple of 2", "data.token_bytes"));
  unlink(config.path);
}

/* `ids` ids, 1 to 200 again and again, of so many bytes each. */
static void write_ids(const char *path, int ids, int width, bool big_endian) {
  unsigned char *bytes = calloc((size_t)ids, (size_t)width);
  assert_non_null(bytes);
  for (int i = 0; i < ids; i++) bytes[i * width + (big_endian ? width - 1 : 0)] = (unsigned char)(i % 200 + 1);
  file_write(path, bytes, (size_t)(ids * width));
  free(bytes);
}

static void test_ids_of_another_width_or_order_are_refused_with_theirs(void **state) {
  (void)state;
  const struct {
    int written, read;
    const char *first, *second; /* NULL: taken */
  } rows[] = {
      {2, 2, NULL, NULL},
      {4, 4, NULL, NULL},
      {4, 2, "all but each second are 0, or nearly all, as where ids of 4 bytes are read as ids of 2",
       "data.token_bytes: 4"},
      {8, 2, "all but each fourth are 0, or nearly all, as where ids of 8 bytes are read as ids of 2", "astype('<u2')"},
      {8, 4, "all but each second are 0, or nearly all, as where ids of 8 bytes are read as ids of 4",
       "astype('<u4')"}};
  rf_data_config config = config_of(RF_DATA_TOKENS, "wide", 10);
  rf_dataset *dataset;
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    write_ids(config.path, 4000, rows[i].written, false);
    config.token_bytes = rows[i].read;
    if (rows[i].first) {
      assert_refused(&config, 256, RF_BAD_DATA, TEXTS("wide", rows[i].first, rows[i].second));
      continue;
    }
    assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
    rf_dataset_destroy(dataset);
  }
  for (int width = 2; width <= 4; width += 2) {
    int32_t tokens[10], labels[10];
    write_ids(config.path, 4000, width, true);
    config.token_bytes = width;
    assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
    assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_TEST, 0, 0, 10, tokens, labels), RF_BAD_DATA);
    assert_non_null(strstr(rf_error_message(), "; as big endian it would be 1"));
    rf_dataset_destroy(dataset);
  }
  unlink(config.path);
}

/* Ids of four and eight bytes as there are: above 65535, negative where there is no label, behind or before padding. */
static void test_ids_of_another_width_are_known_wherever_they_are_not_0(void **state) {
  (void)state;
  enum { IDS = 40000 };
  static int32_t four[IDS];
  static int64_t eight[IDS];
  const struct {
    int padded, every; /* ids of 0 at the front; each `every`-th is `rare` */
    int32_t rare;
  } rows[] = {{0, 20, 100257}, {0, 3, -100}, {36000, 50, 70000}, {9000, 1000, -1}, {0, 2, 151643}};
  rf_data_config config = config_of(RF_DATA_TOKENS, "wide", 10);
  for (size_t r = 0; r < sizeof rows / sizeof *rows; r++) {
    for (int turn = 0; turn < 2; turn++) { /* padding before the ids, or behind them */
      for (int i = 0; i < IDS; i++) {
        const int at = turn ? IDS - 1 - i : i;
        four[at] = i < rows[r].padded ? 0 : i % rows[r].every == 0 ? rows[r].rare : i * 7919 % 50257;
        eight[at] = four[at];
      }
      config.token_bytes = 2;
      file_write(config.path, four, sizeof four);
      assert_refused(&config, 50257, RF_BAD_DATA, TEXTS("wide", "ids of 4 bytes are read as ids of 2"));
      file_write(config.path, eight, sizeof eight);
      assert_refused(&config, 50257, RF_BAD_DATA, TEXTS("wide", "ids of 8 bytes are read as ids of 2"));
      config.token_bytes = 4;
      assert_refused(&config, 50257, RF_BAD_DATA, TEXTS("wide", "ids of 8 bytes are read as ids of 4"));
      file_write(config.path, four, sizeof four);
      rf_dataset *dataset;
      assert_int_equal(rf_dataset_open(&config, 50257, 1, &dataset), RF_OK);
      rf_dataset_destroy(dataset);
    }
  }
  unlink(config.path);
}

static void test_text_of_16_bits_is_no_tokens(void **state) {
  (void)state;
  rf_data_config config = config_of(RF_DATA_TOKENS, "utf16", 10);
  unsigned char bytes[802];
  rf_dataset *dataset;
  for (int turned = 0; turned < 2; turned++) {
    for (int marked = 0; marked < 2; marked++) {
      for (int i = 0; i < 401; i++) {
        const unsigned unit = i == 0 && marked ? 0xfeff : (unsigned char)"Eine Zeile\n"[i % 11];
        bytes[2 * i + turned] = (unsigned char)(unit & 0xff);
        bytes[2 * i + 1 - turned] = (unsigned char)(unit >> 8);
      }
      file_write(config.path, bytes, sizeof bytes);
      if (marked || turned) {
        assert_refused(&config, 65536, RF_BAD_DATA,
                       TEXTS("utf16", "holds text in UTF-16", "iconv", "data.kind: bytes"));
        continue;
      }
      assert_int_equal(rf_dataset_open(&config, 65536, 1, &dataset), RF_OK); /* or letters' numbers: cli/wrong_files */
      rf_dataset_destroy(dataset);
    }
  }
  unlink(config.path);
}

static void test_sparse_tokens_are_no_wider_ones(void **state) {
  (void)state;
  uint16_t ids[4000] = {0}; /* more zeros than a text has, but not in the upper halves alone */
  rf_data_config config = config_of(RF_DATA_TOKENS, "sparse", 10);
  rf_dataset *dataset;
  for (int rounds = 0; rounds < 3; rounds++) {
    file_write(config.path, ids, sizeof ids);
    assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
    rf_dataset_destroy(dataset);
    for (int i = 0; i < 4000; i += 8) ids[i] = 7;
    if (rounds == 1)
      for (int i = 0; i < 4000; i++) ids[i] = i % 2 ? 0 : 7;
    if (rounds == 1) ids[3901] = 300; /* no id of four bytes has such an upper half */
  }
  unlink(config.path);
}

static void test_another_formats_file_is_told_and_how_to_make_tokens_of_it(void **state) {
  (void)state;
  static const foreign_file rows[] = {
      FOREIGN("version https://git-lfs.github.com/spec/v1\n", "is a Git LFS pointer", "git lfs pull"),
      FOREIGN("\x1f\x8b\x08\0", "is a gzip archive", "gunzip"),
      FOREIGN("\x93NUMPY\1\0", "is a NumPy array", "astype('<u2').tofile"),
      FOREIGN("PAR1", "is a Parquet table", "ids alone, little endian"),
      FOREIGN("MMIDIDX\0\0", "is the index (.idx) of a Megatron data set", ".bin file beside it"),
      FOREIGN("\x88\xd8\x34\1\1\0\0\0", "is a token file of llm.c", "tail -c +1025"),
      FOREIGN("<!DOCTYPE html>", "is an HTML page", "login")};
  rf_data_config config = config_of(RF_DATA_TOKENS, "other", 10);
  for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
    foreign_write(config.path, &rows[i], 1001); /* no multiple of 2, which is not what is wrong */
    config.kind = RF_DATA_TOKENS;
    assert_refused(&config, 256, RF_BAD_DATA, TEXTS("other", rows[i].texts[0], rows[i].texts[1]));
    config.kind = RF_DATA_BYTES; /* bytes may be learned whatever they are, but for those of a pointer */
    if (i == 0) {
      assert_refused(&config, 256, RF_BAD_DATA, TEXTS("other", rows[i].texts[0], rows[i].texts[1]));
      continue;
    }
    rf_dataset *dataset;
    assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
    rf_dataset_destroy(dataset);
  }
  config.kind = RF_DATA_TOKENS;
  char text[1000];
  for (size_t i = 0; i < sizeof text; i++) text[i] = "a few words\n"[i % 12];
  file_write(config.path, text, sizeof text);
  assert_refused(&config, 65536, RF_BAD_DATA, TEXTS("other: holds text", "data.kind: bytes"));
  unlink(config.path);
}

static void test_a_split_says_why_it_has_no_sequence(void **state) {
  (void)state;
  char bytes[1000] = {0}, text[RF_MAX_SHORTAGE];
  rf_data_config config = config_of(RF_DATA_BYTES, "splits", 100);
  config.split[0] = 0.85;
  config.split[1] = 0.09;
  config.split[2] = 0;
  file_write(config.path, bytes, sizeof bytes);
  rf_dataset *dataset;
  assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
  assert_null(rf_dataset_shortage(dataset, RF_SPLIT_TRAIN, text));
  assert_null(rf_dataset_shortage(dataset, RF_SPLIT_TEST, text)); /* it was to have none */
  assert_string_equal(rf_dataset_shortage(dataset, RF_SPLIT_VALIDATION, text),
                      "validation: 90 tokens (data.split: 0.09 of 1000), and one sequence needs 100 (data.length)");
  rf_dataset_destroy(dataset);
  unlink(config.path);
}

static void test_a_vocabulary_too_small_is_a_configuration_error(void **state) {
  (void)state;
  rf_data_config config = config_of(RF_DATA_BYTES, "any", 64);
  assert_refused(&config, 255, RF_BAD_CONFIG, TEXTS("model.vocab_size", "255", "256"));
  config.kind = RF_DATA_DUPLICATE;
  assert_refused(&config, 127, RF_BAD_CONFIG, TEXTS("model.vocab_size", "127", "128"));
  config.length = 63;
  assert_refused(&config, 128, RF_BAD_CONFIG, TEXTS("data.length", "63", "even"));
  config.length = 2;
  assert_refused(&config, 128, RF_BAD_CONFIG, TEXTS("data.length", "4"));
}

static void test_a_file_cut_short_while_in_use_ends_in_a_message(void **state) {
  (void)state;
  char *bytes = calloc(1, 100000);
  assert_non_null(bytes);
  rf_data_config config = config_of(RF_DATA_BYTES, "cut", 1000);
  file_write(config.path, bytes, 100000);
  free(bytes);
  rf_dataset *dataset;
  int32_t tokens[1000], labels[1000];
  assert_int_equal(rf_dataset_open(&config, 256, 1, &dataset), RF_OK);
  assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_TEST, 24, 0, 1000, tokens, labels), RF_OK);
  assert_int_equal(truncate(config.path, 80000), 0);
  assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_TEST, 24, 0, 1000, tokens, labels), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "cut short"));
  assert_int_equal(rf_dataset_read(dataset, RF_SPLIT_TEST, 4, 0, 1000, tokens, labels), RF_OK);
  rf_dataset_destroy(dataset);
  unlink(config.path);
}

static void test_the_duplication_task_repeats_its_word_and_counts_the_second_half(void **state) {
  (void)state;
  rf_data_config config = {.kind = RF_DATA_DUPLICATE, .length = 256};
  rf_dataset *dataset;
  assert_int_equal(rf_dataset_open(&config, 128, 7, &dataset), RF_OK);
  int seen[128] = {0};
  const uint64_t indices[] = {0, 1, 65535, 65536, 65537, UINT64_C(1) << 32, (UINT64_C(1) << 40) + 1};
  enum { N = sizeof indices / sizeof *indices };
  static int32_t tokens[3 * N][256];
  int32_t labels[256];
  for (int s = 0; s < 3; s++)
    for (size_t i = 0; i < N; i++) {
      if (s > 0 && indices[i] >= 512) break;
      int32_t *row = tokens[(size_t)s * N + i];
      assert_int_equal(rf_dataset_read(dataset, (rf_split)s, indices[i], 0, 256, row, labels), RF_OK);
      for (int t = 0; t < 128; t++) {
        assert_int_equal(row[t], row[t + 128]);
        if (t > 0) assert_in_range(row[t], 1, 127);
        seen[row[t]]++;
      }
      assert_int_equal(row[0], 0);
      for (int t = 0; t < 256; t++) assert_int_equal(labels[t], t < 127 || t == 255 ? RF_IGNORE : row[t + 1]);
    }
  for (size_t i = 0; i < 3 * N; i++) /* every (split, index) draws its own word; unused rows are zero */
    for (size_t j = 0; j < i; j++)
      if (tokens[i][1] != 0 && memcmp(tokens[i], tokens[j], sizeof tokens[i]) == 0) fail_msg("rows %zu and %zu", i, j);
  int missing = 0;
  for (int symbol = 1; symbol < 128; symbol++) missing += seen[symbol] == 0;
  assert_int_equal(missing, 0); /* 11 words of 127 symbols: 127 e^-11 are expected to be missing */
  assert_int_equal(rf_dataset_sequences(dataset, RF_SPLIT_VALIDATION), 512);
  rf_dataset_destroy(dataset);
}

static void test_a_sequence_depends_on_seed_and_index_alone(void **state) {
  (void)state;
  unsigned char bytes[5000];
  for (int i = 0; i < 5000; i++) bytes[i] = (unsigned char)(i % 256 ^ i / 256);
  rf_data_config config = config_of(RF_DATA_BYTES, "pure", 16);
  file_write(config.path, bytes, sizeof bytes);
  rf_dataset *a, *b, *c;
  assert_int_equal(rf_dataset_open(&config, 256, 1, &a), RF_OK);
  assert_int_equal(rf_dataset_open(&config, 256, 1, &b), RF_OK);
  assert_int_equal(rf_dataset_open(&config, 256, 2, &c), RF_OK);
  int32_t ta[16], tb[16], tc[16], labels[16];
  int differ = 0;
  for (uint64_t i = 0; i < 500; i++) {
    uint64_t backwards = 499 - i;
    assert_int_equal(rf_dataset_read(a, RF_SPLIT_TRAIN, backwards, 0, 16, ta, labels), RF_OK);
    assert_int_equal(rf_dataset_read(b, RF_SPLIT_TRAIN, i, 0, 16, tb, labels), RF_OK);
    assert_int_equal(rf_dataset_read(b, RF_SPLIT_TRAIN, backwards, 0, 16, tb, labels), RF_OK);
    assert_int_equal(rf_dataset_read(c, RF_SPLIT_TRAIN, backwards, 0, 16, tc, labels), RF_OK);
    assert_memory_equal(ta, tb, sizeof ta);
    differ += memcmp(ta, tc, sizeof ta) != 0;
  }
  assert_in_range(differ, 400, 500);
  rf_dataset_destroy(a);
  rf_dataset_destroy(b);
  rf_dataset_destroy(c);
  unlink(config.path);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bytes_are_tokens_and_labels_are_one_ahead),
      cmocka_unit_test(test_an_unknown_split_has_no_sequence),
      cmocka_unit_test(test_parts_of_a_sequence_equal_the_whole),
      cmocka_unit_test(test_tokens_of_two_and_four_bytes_are_little_endian),
      cmocka_unit_test(test_a_token_beyond_the_vocabulary_is_named_with_its_place),
      cmocka_unit_test(test_bad_files_are_refused_with_what_to_do),
      cmocka_unit_test(test_ids_of_another_width_or_order_are_refused_with_theirs),
      cmocka_unit_test(test_ids_of_another_width_are_known_wherever_they_are_not_0),
      cmocka_unit_test(test_text_of_16_bits_is_no_tokens),
      cmocka_unit_test(test_sparse_tokens_are_no_wider_ones),
      cmocka_unit_test(test_another_formats_file_is_told_and_how_to_make_tokens_of_it),
      cmocka_unit_test(test_a_split_says_why_it_has_no_sequence),
      cmocka_unit_test(test_a_vocabulary_too_small_is_a_configuration_error),
      cmocka_unit_test(test_a_file_cut_short_while_in_use_ends_in_a_message),
      cmocka_unit_test(test_the_duplication_task_repeats_its_word_and_counts_the_second_half),
      cmocka_unit_test(test_a_sequence_depends_on_seed_and_index_alone),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
