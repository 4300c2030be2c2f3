/* Slots by definition: the tokens of a round ordered by (bucket, position), and what a rank that owns them all sees. */
#ifndef TESTS_NAIVE_SLOTS_H
#define TESTS_NAIVE_SLOTS_H

#include "lsh/windows.h"
#include "support/numbers.h"

/* Slots of a pair of which one rank owns everything: of every round, and around it. */
static inline int64_t naive_seen(const rf_owners *o, int64_t chunk) {
  return o->rounds * (o->before + o->per_round + o->after) * chunk;
}

/* Tables of one pair; ids: [rounds, tokens] buckets, NULL: all in one, so that slots are positions. row_of_slot:
 * [naive_seen]; chunk, bucket: [rounds, tokens]. */
static inline void naive_place(const rf_windows *w, int64_t n_buckets, const uint16_t *ids, int32_t *row_of_slot,
                               int32_t *chunk, int32_t *bucket) {
  const rf_owners *o = &w->owners;
  const int64_t items = o->rounds * w->tokens;
  int32_t *row = NEW(int32_t, items);
  int64_t slot = 0;
  for (int64_t r = 0; r < o->rounds; r++)
    for (int64_t b = 0; b < n_buckets; b++)
      for (int64_t t = 0; t < w->tokens; t++) {
        const int64_t entry = r * w->tokens + t;
        if ((ids ? ids[entry] : 0) != b) continue;
        row[slot] = (int32_t)t;
        chunk[entry] = (int32_t)(slot / w->chunk);
        bucket[entry] = (int32_t)(r * n_buckets + b);
        slot++;
      }
  assert_int_equal(slot, items);
  for (int64_t r = 0; r < o->rounds; r++)
    for (int64_t i = -o->before * w->chunk; i < w->tokens + o->after * w->chunk; i++)
      *row_of_slot++ = row[((r * w->tokens + i) % items + items) % items];
  free(row);
}

#endif
