/* From buckets to slots: the order in which LSH attention sees the items of one (sequence, head).
 *
 *   item = (round, token);   slot = its place in the order by (round, bucket, position)
 *
 *   round 0                           round 1
 *   |bucket 0 |bucket 1|..|padding    |bucket 0|bucket 1 |..
 *   | 3 7 9   | 0 4    |  | 10 11     | 1 9    | 0 3 4   |          token of each slot
 *   '---chunk---'---chunk---'         chunks are cut by slot, whatever the bucket edges
 */
#ifndef RF_LSH_SLOTS_H
#define RF_LSH_SLOTS_H

#include "lsh/hash.h"
#include <stdint.h>

/* Stable counting sort of one round. buckets: entries first .. first + tokens are the tokens' bucket ids, < n_buckets.
 * token_of_slot: [tokens] out. counts: [n_buckets + 1] scratch. */
void rf_slots_sort(const rf_buckets *buckets, int64_t first, int64_t tokens, int64_t n_buckets, int32_t *token_of_slot,
                   int64_t *counts);

#endif
