#include "base/text.h"

#include <errno.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void test_distance_counts_single_edits_and_swaps(void **state) {
  (void)state;
  const struct {
    const char *a, *b;
    int distance;
  } rows[] = {{"", "", 0},          {"chunk", "chunk", 0}, {"chunk", "", 5},         {"chunk", "chunks", 1},
              {"chunk", "hunk", 1}, {"chunk", "chink", 1}, {"chunk", "cuhnk", 1},    {"kitten", "sitting", 3},
              {"ca", "abc", 3},     {"lr", "rl", 1},       {"n_layers", "layers", 2}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    int there = rf_text_distance(rows[i].a, rows[i].b), back = rf_text_distance(rows[i].b, rows[i].a);
    if (there != rows[i].distance) print_error("'%s' '%s': %d\n", rows[i].a, rows[i].b, there);
    assert_int_equal(there, rows[i].distance);
    assert_int_equal(back, rows[i].distance);
  }
}

static void test_distance_of_words_without_end_is_safe(void **state) {
  (void)state;
  static char longest[5000];
  memset(longest, 'a', sizeof longest - 1);
  assert_int_equal(rf_text_distance(longest, longest), 0);
  assert_in_range(rf_text_distance(longest, "b"), 1, 63);
}

static void test_nearest_is_the_first_of_the_nearest(void **state) {
  (void)state;
  const char *const words[] = {"train", "eval", "brain", "bench"};
  assert_int_equal(rf_text_nearest("trian", words, 4), 0);
  assert_int_equal(rf_text_nearest("rain", words, 4), 0);
  assert_int_equal(rf_text_nearest("bnech", words, 4), 3);
  assert_int_equal(rf_text_nearest("x", words, 0), -1);
}

static void test_append_cuts_what_does_not_fit(void **state) {
  (void)state;
  char buffer[8] = "ab";
  rf_text_append(buffer, sizeof buffer, "%d", 123456789);
  assert_string_equal(buffer, "ab12345");
  rf_text_append(buffer, sizeof buffer, "more");
  assert_string_equal(buffer, "ab12345");
}

static void test_a_list_has_commas_between_and_is_cut_where_it_does_not_fit(void **state) {
  (void)state;
  const int64_t numbers[] = {4, -1, INT64_MAX};
  char buffer[32], little[6] = "old";
  assert_string_equal(rf_text_list(3, numbers, buffer, sizeof buffer), "4, -1, 9223372036854775807");
  assert_string_equal(rf_text_list(1, numbers, buffer, sizeof buffer), "4");
  assert_string_equal(rf_text_list(0, NULL, buffer, sizeof buffer), "");
  assert_string_equal(rf_text_list(3, numbers, little, sizeof little), "4, -1");
}

static void test_a_real_reads_back_as_itself_and_is_short(void **state) {
  (void)state;
  const struct {
    double value;
    const char *text;
  } rows[] = {{0, "0"}, {1, "1"}, {0.1, "0.1"}, {1e-12, "1.0e-12"}, {1.0 / 3, "0.3333333333333333"}, {-2.5, "-2.5"}};
  char buffer[32];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_string_equal(rf_text_real(rows[i].value, buffer, sizeof buffer), rows[i].text);
  }
  unsigned seed = 7;
  srand(seed);
  for (int i = 0; i < 10000; i++) {
    double value = (double)rand() / (1.0 + (double)rand()) * (rand() % 2 ? 1e-200 : 1e15);
    double back = strtod(rf_text_real(value, buffer, sizeof buffer), NULL);
    if (back != value) print_error("seed %u, draw %d: %.17g became %s\n", seed, i, value, buffer);
    assert_true(back == value);
  }
}

static void test_durations_read_like_a_clock(void **state) {
  (void)state;
  const struct {
    double seconds;
    const char *text;
  } rows[] = {{0, "0 s"},           {59.4, "59 s"},   {59.6, "1 m 00 s"}, {250, "4 m 10 s"}, {11100, "3 h 05 m"},
              {187200, "2 d 04 h"}, {0.0 / 0.0, "?"}, {-1, "?"},          {1e300, "?"}};
  char buffer[32];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    assert_string_equal(rf_text_duration(rows[i].seconds, buffer, sizeof buffer), rows[i].text);
  }
}

static void test_what_is_shown_can_be_told_apart(void **state) {
  (void)state;
  const struct {
    const char *text, *shown;
  } rows[] = {{"", ""},
              {"plain ~", "plain ~"},
              {"a\tb\x1b\x7f", "a<U+0009>b<U+001B><U+007F>"},
              {"\xc2\xa0x\xc3\xa9", "<U+00A0>x<U+00E9>"},
              {"\xe2\x80\x8b\xf0\x9f\x98\x80", "<U+200B><U+1F600>"},
              {"\xff\xc3", "<FF><C3>"},
              {"\xe2\x80", "<E2><80>"},
              {"\xe0\x9b\x9b", "<E0><9B><9B>"},
              {"\xed\xa0\x80", "<ED><A0><80>"},
              {"\xf4\x90\x80\x80", "<F4><90><80><80>"}};
  char buffer[32], longer[32];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++)
    assert_string_equal(rf_text_show(rows[i].text, buffer, sizeof buffer), rows[i].shown);
  assert_string_equal(rf_text_show("0123456789012345678901234567", longer, 32), "0123456789012345678901234567");
  assert_string_equal(rf_text_show("01234567890123456789012345678", longer, 32), "0123456789012345678901234567...");
}

static void test_bytes_in_plain_text_command_no_terminal(void **state) {
  (void)state;
  static const struct {
    const char *bytes, *shown;
  } rows[] = {{"two\n\tlines ~", "two\n\tlines ~"},
              {"\x1b[31m\x07\r\x7f", "\\x1B[31m\\x07\\x0D\\x7F"},
              {"\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xbc \xe2\x82\xac \xf0\x9f\x98\x80"},
              {"\xc2\x9b"
               "1m",
               "\\xC2\\x9B1m"},                                      /* a command, to terminals that know UTF-8 */
              {"\xc0\x9b\xe0\x80\x9b", "\\xC0\\x9B\\xE0\\x80\\x9B"}, /* the same, written too long */
              {"\xed\xa0\x80\xff\xc3", "\\xED\\xA0\\x80\\xFF\\xC3"}};
  char shown[80];
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    const size_t count = strlen(rows[i].bytes);
    const char *end = rf_text_plain((const unsigned char *)rows[i].bytes, count, shown);
    assert_string_equal(shown, rows[i].shown);
    assert_ptr_equal(end, shown + strlen(shown));
  }
  (void)rf_text_plain((const unsigned char *)"a\0\xe2\x82", 4, shown);
  assert_string_equal(shown, "a\\x00\\xE2\\x82");
}

static void test_a_whole_number_ends_where_its_digits_do(void **state) {
  (void)state;
  int64_t number = 3;
  errno = ERANGE;
  assert_string_equal(rf_text_whole(" -12,4", &number), ",4");
  assert_int_equal(number, -12);
  assert_string_equal(rf_text_whole("9223372036854775807", &number), "");
  assert_int_equal(number, INT64_MAX);
  static const char *const none[] = {"", " ", "-", "x1", "9223372036854775808"};
  for (size_t i = 0; i < sizeof none / sizeof *none; i++) assert_null(rf_text_whole(none[i], &number));
  assert_int_equal(number, INT64_MAX);
  assert_int_equal(errno, ERANGE);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_distance_counts_single_edits_and_swaps),
      cmocka_unit_test(test_distance_of_words_without_end_is_safe),
      cmocka_unit_test(test_nearest_is_the_first_of_the_nearest),
      cmocka_unit_test(test_append_cuts_what_does_not_fit),
      cmocka_unit_test(test_a_list_has_commas_between_and_is_cut_where_it_does_not_fit),
      cmocka_unit_test(test_a_real_reads_back_as_itself_and_is_short),
      cmocka_unit_test(test_durations_read_like_a_clock),
      cmocka_unit_test(test_what_is_shown_can_be_told_apart),
      cmocka_unit_test(test_bytes_in_plain_text_command_no_terminal),
      cmocka_unit_test(test_a_whole_number_ends_where_its_digits_do),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
