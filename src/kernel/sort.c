#include "kernel/sort.h"

enum { DIGIT = 8, DIGITS = 1 << DIGIT }; /* bits; counts of 1 KiB, and as many streams as the cache holds lines for */

static void sort_by_digit(int64_t n, int shift, const uint64_t *from, uint64_t *to) {
  int64_t next[DIGITS] = {0}, first = 0;
  for (int64_t i = 0; i < n; i++) next[from[i] >> shift & (DIGITS - 1)]++;
  for (int d = 0; d < DIGITS; d++) {
    const int64_t count = next[d];
    next[d] = first;
    first += count;
  }
  for (int64_t i = 0; i < n; i++) to[next[from[i] >> shift & (DIGITS - 1)]++] = from[i];
}

uint64_t *rf_sort_by_key(int64_t n, int64_t end, uint64_t *keyed, uint64_t *other) {
  for (int bit = 0; bit < 32 && (end - 1) >> bit > 0; bit += DIGIT) {
    sort_by_digit(n, 32 + bit, keyed, other);
    uint64_t *sorted = other;
    other = keyed;
    keyed = sorted;
  }
  return keyed;
}
