#include "base/text.h"
#include "base/c_locale.h"
#include "base/every_processor.h"
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST = 63 };

static int smaller(int a, int b) { return a < b ? a : b; }

int rf_text_distance(const char *a, const char *b) {
  int n = (int)strnlen(a, LONGEST), m = (int)strnlen(b, LONGEST);
  /* rows[i % 3][j]: distance between the first i letters of a and the first j of b. */
  int rows[3][LONGEST + 1];
  for (int j = 0; j <= m; j++) rows[0][j] = j;
  for (int i = 1; i <= n; i++) {
    int *row = rows[i % 3], *above = rows[(i + 2) % 3], *two_above = rows[(i + 1) % 3];
    row[0] = i;
    for (int j = 1; j <= m; j++) {
      int replaced = above[j - 1] + (a[i - 1] != b[j - 1]);
      row[j] = smaller(replaced, smaller(above[j], row[j - 1]) + 1);
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = smaller(row[j], two_above[j - 2] + 1);
      }
    }
  }
  return rows[n % 3][m];
}

int rf_text_nearest(const char *word, const char *const *candidates, int count) {
  int nearest = -1, least = INT_MAX;
  for (int i = 0; i < count; i++) {
    int distance = rf_text_distance(word, candidates[i]);
    if (distance < least) {
      least = distance;
      nearest = i;
    }
  }
  return nearest;
}

int rf_text_vprint(char *buffer, size_t size, const char *format, va_list arguments) {
  const rf_c_locale locale = rf_c_locale_begin();
  const int length = vsnprintf(buffer, size, format, arguments);
  rf_c_locale_end(locale);
  return length;
}

int rf_text_print(char *buffer, size_t size, const char *format, ...) {
  va_list arguments;
  va_start(arguments, format);
  const int length = rf_text_vprint(buffer, size, format, arguments);
  va_end(arguments);
  return length;
}

void rf_text_append(char *buffer, size_t size, const char *format, ...) {
  size_t used = strlen(buffer);
  va_list arguments;
  va_start(arguments, format);
  (void)rf_text_vprint(buffer + used, size - used, format, arguments);
  va_end(arguments);
}

const char *rf_text_list(int n, const int64_t *numbers, char *buffer, size_t size) {
  buffer[0] = '\0';
  for (int i = 0; i < n; i++) rf_text_append(buffer, size, "%s%lld", i > 0 ? ", " : "", (long long)numbers[i]);
  return buffer;
}

/* The letter at `text`, which is no ASCII, and how many of the bytes that are left it takes; 1 for a byte that begins
 * none: nor does one that would spell a letter at more length than it needs, or half a surrogate pair. */
static int decode(const unsigned char *text, size_t left, unsigned *letter) {
  static const unsigned least[] = {0, 0, 0x80, 0x800, 0x10000};
  const int bytes = text[0] > 0xf4 ? 1 : text[0] >= 0xf0 ? 4 : text[0] >= 0xe0 ? 3 : text[0] >= 0xc2 ? 2 : 1;
  unsigned all = text[0] & (0xffu >> (bytes + 1));
  if (left < (size_t)bytes) return 1;
  for (int i = 1; i < bytes; i++) {
    if ((text[i] & 0xc0) != 0x80) return 1;
    all = all << 6 | (text[i] & 0x3f);
  }
  if (bytes == 1 || all < least[bytes] || all > 0x10ffff || (all >= 0xd800 && all < 0xe000)) return 1;
  *letter = all;
  return bytes;
}

const char *rf_text_show(const char *text, char *buffer, size_t size) {
  const unsigned char *at = (const unsigned char *)text;
  size_t used = 0, left = strlen(text);
  while (left > 0) {
    char piece[16];
    unsigned letter = *at;
    const int bytes = letter < 0x80 ? 1 : decode(at, left, &letter);
    if (letter >= ' ' && letter < 127)
      (void)snprintf(piece, sizeof piece, "%c", (int)letter);
    else if (letter >= 0x80 && bytes == 1)
      (void)snprintf(piece, sizeof piece, "<%02X>", *at);
    else
      (void)snprintf(piece, sizeof piece, "<U+%04X>", letter);
    const bool fits = used + strlen(piece) + sizeof "..." <= size;
    used += (size_t)snprintf(buffer + used, size - used, "%s", fits ? piece : "...");
    if (!fits) return buffer;
    at += bytes;
    left -= (size_t)bytes;
  }
  buffer[used] = '\0';
  return buffer;
}

char *rf_text_plain(const unsigned char *bytes, size_t count, char *shown) {
  while (count > 0) {
    unsigned letter = *bytes;
    const int n = letter < 0x80 ? 1 : decode(bytes, count, &letter);
    const bool plain = n > 1 ? letter >= 0xa0 : letter == '\n' || letter == '\t' || (letter >= ' ' && letter < 127);
    for (int i = 0; i < n; i++) shown += sprintf(shown, plain ? "%c" : "\\x%02X", bytes[i]);
    bytes += n;
    count -= (size_t)n;
  }
  *shown = '\0';
  return shown;
}

const char *rf_text_whole(const char *text, int64_t *number) {
  char *end = NULL;
  const int before = errno;
  errno = 0;
  const long long value = strtoll(text, &end, 10);
  const bool fits = errno == 0;
  errno = before;
  if (end == text || !fits) return NULL;
  *number = value;
  return end;
}

const char *rf_text_number(const char *text, double *number) {
  char *end = NULL;
  const rf_c_locale locale = rf_c_locale_begin();
  *number = strtod(text, &end);
  rf_c_locale_end(locale);
  return end != text ? end : NULL;
}

const char *rf_text_real(double value, char *buffer, size_t size) {
  double read = 0;
  for (int digits = 1; digits <= 17; digits++) {
    (void)rf_text_print(buffer, size, "%.*g", digits, value);
    if (rf_text_number(buffer, &read) && read == value) break;
  }
  /* YAML 1.1 readers take 1e-12 for text and 1.0e-12 for a number. */
  char *exponent = strchr(buffer, 'e');
  if (exponent && !strchr(buffer, '.') && strlen(buffer) + 3 <= size) {
    memmove(exponent + 2, exponent, strlen(exponent) + 1);
    exponent[0] = '.';
    exponent[1] = '0';
  }
  return buffer;
}

const char *rf_text_duration(double seconds, char *buffer, size_t size) {
  if (!(seconds >= 0 && seconds < 1e9)) {
    (void)snprintf(buffer, size, "?");
    return buffer;
  }
  long whole = (long)(seconds + 0.5);
  if (whole < 60)
    (void)snprintf(buffer, size, "%ld s", whole);
  else if (whole < 3600)
    (void)snprintf(buffer, size, "%ld m %02ld s", whole / 60, whole % 60);
  else if (whole < 86400)
    (void)snprintf(buffer, size, "%ld h %02ld m", whole / 3600, whole / 60 % 60);
  else
    (void)snprintf(buffer, size, "%ld d %02ld h", whole / 86400, whole / 3600 % 24);
  return buffer;
}
