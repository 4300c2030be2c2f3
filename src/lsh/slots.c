#include "lsh/slots.h"
#include <string.h>

void rf_slots_sort(const rf_buckets *buckets, int64_t first, int64_t tokens, int64_t n_buckets, int32_t *token_of_slot,
                   int64_t *counts) {
  memset(counts, 0, (size_t)(n_buckets + 1) * sizeof *counts);
  for (int64_t t = 0; t < tokens; t++) counts[rf_bucket_get(buckets, first + t) + 1]++;
  for (int64_t b = 0; b < n_buckets; b++) counts[b + 1] += counts[b];
  /* counts[b] is now where the next item of bucket b lands */
  for (int64_t t = 0; t < tokens; t++) token_of_slot[counts[rf_bucket_get(buckets, first + t)]++] = (int32_t)t;
}
