#include "data/permutation.h"

#include <assert.h>

/* (left, right) -> (right, left ^ f(right)) is a bijection whatever f is. */
static uint64_t network(const rf_draw *draw, int half, uint64_t value) {
  const uint64_t mask = (UINT64_C(1) << half) - 1;
  uint64_t left = value >> half, right = value & mask;
  rf_draw round = *draw;
  for (uint32_t r = 0; r < RF_PERMUTATION_ROUNDS; r++) {
    uint32_t words[4];
    round.round = r;
    rf_draw_words(&round, right, words);
    uint64_t next = left ^ (words[0] & mask);
    left = right;
    right = next;
  }
  return left << half | right;
}

uint64_t rf_permutation_at(const rf_draw *draw, uint64_t size, uint64_t i) {
  assert(i < size && size <= UINT64_C(1) << 62);
  if (size == 1) return 0;
  int half = 1; /* bits; the network permutes [0, 4^half), less than four times size */
  while (UINT64_C(1) << 2 * half < size) half++;
  /* Cycle walking: outside [0, size) go on; the way must come back in, since it ends where it began. */
  do i = network(draw, half, i);
  while (i >= size);
  return i;
}
