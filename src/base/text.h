/* Small things about words and numbers as people write them. */
#ifndef RF_BASE_TEXT_H
#define RF_BASE_TEXT_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

/* What is said of a pointer that may not be NULL. */
#define RF_NULL "found NULL; a pointer is needed"

/* Fewest single-letter insertions, deletions, replacements and swaps of neighbours that turn one word
 * into the other (Damerau-Levenshtein, optimal string alignment). Words longer than 63 letters are
 * compared by their first 63. */
int rf_text_distance(const char *a, const char *b);

/* Index of the candidate nearest to `word`, the first of several; -1 where count is 0. */
int rf_text_nearest(const char *word, const char *const *candidates, int count);

/* snprintf, vsnprintf, with a point in every number (base/c_locale.h). */
int rf_text_print(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));
int rf_text_vprint(char *buffer, size_t size, const char *format, va_list arguments)
    __attribute__((format(printf, 3, 0)));

/* Appends to the string in `buffer`; what does not fit is cut off. */
void rf_text_append(char *buffer, size_t size, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* "4, 1, 32", as a shape is told; what does not fit is cut off. Returns buffer. */
const char *rf_text_list(int n, const int64_t *numbers, char *buffer, size_t size);

/* Text from elsewhere, fit for a message: what is no visible letter of ASCII becomes <U+00A0>, so that nobody takes one
 * for another, and what does not fit `size` (32 at least) ends in "...". text: UTF-8; other bytes become <FF>. Returns
 * buffer. */
const char *rf_text_show(const char *text, char *buffer, size_t size);

/* Bytes from anywhere as text for a terminal or a log: UTF-8, line feeds and tabs stay, and every other byte (those
 * that command a terminal, and those that are no UTF-8) becomes \xNN. shown: [4 * count + 1]. Returns the text's end.
 */
char *rf_text_plain(const unsigned char *bytes, size_t count, char *shown);

/* The whole number, in decimal, that a text begins with, behind blanks and a sign if there are any. Returns what
 * follows it; NULL, and *number stays: there is none, or none that 64 bits hold. errno stays. */
const char *rf_text_whole(const char *text, int64_t *number);

/* ... and the number that strtod reads, with a point. NULL where there is none. */
const char *rf_text_number(const char *text, double *number);

/* The shortest decimal that reads back as exactly `value`. Returns buffer; 32 bytes do. */
const char *rf_text_real(double value, char *buffer, size_t size);

/* "7 s", "4 m 10 s", "3 h 05 m", "2 d 04 h". Returns buffer; 32 bytes do. */
const char *rf_text_duration(double seconds, char *buffer, size_t size);

#endif
