/* Slots by definition: the tokens of a round ordered by (bucket, position), and what a rank that owns them all sees. */
#ifndef TESTS_NAIVE_SLOTS_H
#define TESTS_NAIVE_SLOTS_H

#include "lsh/windows.h"
#include "support/numbers.h"

/* Slots and tables of one pair; ids: [rounds, tokens] buckets, NULL: all in one, so that slots are positions.
 * row_of_slot: [(before + chunks + after) * chunk]; chunk, bucket: [rounds, tokens]. */
static inline void naive_place(const rf_windows *w, int64_t n_buckets, const uint16_t *ids, int32_t *row_of_slot,
                               int32_t *chunk, int32_t *bucket) {
  const int64_t items = w->rounds * w->tokens, before = w->chunks_before * w->chunk, after = w->chunks_after * w->chunk;
  int64_t slot = 0;
  for (int64_t r = 0; r < w->rounds; r++)
    for (int64_t b = 0; b < n_buckets; b++)
      for (int64_t t = 0; t < w->tokens; t++) {
        const int64_t entry = r * w->tokens + t;
        if ((ids ? ids[entry] : 0) != b) continue;
        row_of_slot[before + slot] = (int32_t)t;
        chunk[entry] = (int32_t)(slot / w->chunk);
        bucket[entry] = (int32_t)(r * n_buckets + b);
        slot++;
      }
  assert_int_equal(slot, items);
  for (int64_t i = before - 1; i >= 0; i--) row_of_slot[i] = row_of_slot[i + items];
  for (int64_t i = 0; i < after; i++) row_of_slot[before + items + i] = row_of_slot[before + i];
}

#endif
