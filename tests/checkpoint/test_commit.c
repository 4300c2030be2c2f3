/* COMMIT is believed only where every line of it is right. */
#include "checkpoint/commit.h"
#include "base/hash.h"
#include "checkpoint/folder.h"

static rf_commit some_commit(void) {
  rf_commit commit = {
      .attempt = "00b1946ac92492d2", .digest_block_bytes = 4096, .n_files = 2, .files = NEW(rf_file_digest, 2)};
  const int64_t sizes[] = {4097, 0};
  for (int i = 0; i < 2; i++) {
    rf_file_digest *file = &commit.files[i];
    snprintf(file->name, sizeof file->name, "file-%d.h5", i);
    file->size = sizes[i];
    file->n_hashes = rf_digest_blocks(sizes[i], commit.digest_block_bytes);
    file->hashes = NEW(uint64_t, file->n_hashes);
    for (int64_t h = 0; h < file->n_hashes; h++) file->hashes[h] = UINT64_MAX / 3 * (uint64_t)(h + 1);
  }
  return commit;
}

/* The text with its own hash put right, as a liar would. Free. */
static char *sign(const char *body, int64_t *length) {
  char *text = NEW(char, strlen(body) + 64);
  *length = sprintf(text, "%send %016llx\n", body, (unsigned long long)rf_hash(body, (int64_t)strlen(body)));
  return text;
}

static void test_what_is_emitted_reads_back_the_same(void **state) {
  (void)state;
  rf_commit written = some_commit(), read;
  char *text;
  int64_t length;
  assert_ok(rf_commit_emit(&written, &text, &length));
  assert_ok(rf_commit_parse("COMMIT", text, length, &read));
  assert_string_equal(read.attempt, written.attempt);
  assert_int_equal(read.digest_block_bytes, 4096);
  assert_int_equal(read.n_files, 2);
  for (int i = 0; i < 2; i++) {
    assert_string_equal(read.files[i].name, written.files[i].name);
    assert_int_equal(read.files[i].size, written.files[i].size);
    assert_int_equal(read.files[i].n_hashes, written.files[i].n_hashes);
    assert_memory_equal(read.files[i].hashes, written.files[i].hashes, (size_t)read.files[i].n_hashes * 8);
  }
  free(text);
  rf_commit_free(&written);
  rf_commit_free(&read);
}

static void test_every_flipped_bit_and_every_cut_is_noticed(void **state) {
  (void)state;
  rf_commit commit = some_commit(), read;
  char *text;
  int64_t length;
  assert_ok(rf_commit_emit(&commit, &text, &length));
  for (int64_t bit = 0; bit < 8 * length; bit++) {
    char *copy = NEW(char, length); /* of its own size: a read beyond it is seen by the sanitizer */
    memcpy(copy, text, (size_t)length);
    copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
    if (rf_commit_parse("COMMIT", copy, length, &read) != RF_BAD_DATA) fail_msg("bit %lld", (long long)bit);
    free(copy);
  }
  for (int64_t cut = 0; cut < length; cut++) {
    char *copy = NEW(char, cut);
    memcpy(copy, text, (size_t)cut);
    if (rf_commit_parse("COMMIT", copy, cut, &read) != RF_BAD_DATA) fail_msg("cut at %lld", (long long)cut);
    free(copy);
  }
  free(text);
  rf_commit_free(&commit);
}

#define HEAD "reformer checkpoint\nversion 1\nattempt 00b1946ac92492d2\nhash xxh64 4096\n"

static void test_text_with_a_right_hash_and_wrong_lines_is_refused(void **state) {
  (void)state;
  static const char *const bodies[] = {
      "",
      "\n",
      "reformer checkpoint\n",
      "reformer checkpoint\nversion 2\nwhatever comes then\n",
      "reformer checkpoint\nversion 0\n",
      "reformer checkpoint\nversion 01\n",
      "reformer checkpoint\nversion 1 \n",
      "reformer checkpoint\nversion 1\nattempt 00B1946AC92492D2\nhash xxh64 4096\n",
      "reformer checkpoint\nversion 1\nattempt 00b1946ac92492d\nhash xxh64 4096\n",
      "reformer checkpoint\nversion 1\nattempt 00b1946ac92492d2\nhash md5 4096\n",
      "reformer checkpoint\nversion 1\nattempt 00b1946ac92492d2\nhash xxh64 0\n",
      "reformer checkpoint\nversion 1\nattempt 00b1946ac92492d2\nhash xxh64 99999999999999999999\n",
      HEAD "file 1 ../manifest.h5\n0123456789abcdef\n",
      HEAD "file 1 /etc/passwd\n0123456789abcdef\n",
      HEAD "file 1 .\n0123456789abcdef\n",
      HEAD "file 1 \n0123456789abcdef\n",
      HEAD "file -1 a\n",
      HEAD "file +1 a\n0123456789abcdef\n",
      HEAD "file 1  a\n0123456789abcdef\n",
      HEAD "file 0x1 a\n0123456789abcdef\n",
      HEAD "file 1 a\n",
      HEAD "file 1 a\n0123456789abcdeg\n",
      HEAD "file 1 a\n0123456789abcdef0\n",
      HEAD "file 4611686018427387904 a\n0123456789abcdef\n",
      HEAD "file 99999999999999999999999999 a\n0123456789abcdef\n",
      HEAD "file 1 a\n0123456789abcdef\n0123456789abcdef\n",
      HEAD "file 1 a\n0123456789abcdef\nfile 1 a\n0123456789abcdef\n",
      HEAD "file 1 aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n0123456789abcdef\n",
      HEAD "end 0123456789abcdef\n",
      HEAD "file 0 a\nfile",
      HEAD "file 0 a",
  };
  for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
    int64_t length;
    char *text = sign(bodies[i], &length);
    rf_commit read;
    if (rf_commit_parse("COMMIT", text, length, &read) != RF_BAD_DATA) fail_msg("accepted: %s", text);
    assert_int_equal(read.n_files, 0);
    free(text);
  }
  int64_t length;
  char *text = sign(bodies[3], &length);
  rf_commit read;
  assert_int_equal(rf_commit_parse("COMMIT", text, length, &read), RF_BAD_DATA);
  assert_non_null(strstr(rf_error_message(), "newer"));
  free(text);
}

/* Damage of the body with the hash put right again, so that the parser proper meets it. */
static void test_random_signed_text_never_crashes_the_parser(void **state) {
  (void)state;
  dice d = {.seed = 41};
  rf_commit commit = some_commit();
  char *whole;
  int64_t length;
  assert_ok(rf_commit_emit(&commit, &whole, &length));
  whole[length - 21] = '\0'; /* without its last line */
  int accepted = 0;
  for (int round = 0; round < 20000; round++) {
    char body[1024];
    strcpy(body, whole);
    const int64_t n = (int64_t)strlen(body);
    for (int64_t change = dice_below(&d, 4); change >= 0; change--) {
      const int64_t at = dice_below(&d, n), other = dice_below(&d, n);
      switch (dice_below(&d, 4)) {
      case 0: body[at] = (char)(1 + dice_below(&d, 255)); break;
      case 1: body[at] = body[other]; break;
      case 2: body[at] = '\n'; break;
      default: memmove(body + at, body + at + 1, strlen(body + at)); break;
      }
    }
    int64_t size;
    char *text = sign(body, &size), *exact = NEW(char, size);
    memcpy(exact, text, (size_t)size);
    rf_commit read;
    const rf_status status = rf_commit_parse("COMMIT", exact, size, &read);
    if (status != RF_OK && status != RF_BAD_DATA) fail_msg("status %d at round %d", status, round);
    for (int i = 0; i < read.n_files; i++)
      assert_int_equal(read.files[i].n_hashes, rf_digest_blocks(read.files[i].size, read.digest_block_bytes));
    accepted += status == RF_OK;
    rf_commit_free(&read);
    free(exact);
    free(text);
  }
  assert_in_range(accepted, 1, 15000);
  free(whole);
  rf_commit_free(&commit);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_what_is_emitted_reads_back_the_same),
      cmocka_unit_test(test_every_flipped_bit_and_every_cut_is_noticed),
      cmocka_unit_test(test_text_with_a_right_hash_and_wrong_lines_is_refused),
      cmocka_unit_test(test_random_signed_text_never_crashes_the_parser),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
