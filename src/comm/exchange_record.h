/* What a plan tells the owner of a row, and how much that is. For comm/ only.
 *
 *   uint32 position, its top bit set for padding
 *   int32 place in each round's order
 *   with rounds_travel: the bucket in each round, in 2 or 4 bytes; padded to 4 bytes */
#ifndef RF_COMM_EXCHANGE_RECORD_H
#define RF_COMM_EXCHANGE_RECORD_H

#include "comm/exchange_types.h"

#define RF_PADDING_BIT ((uint32_t)1 << 31)

static inline int64_t rf_plan_record_bytes(const rf_exchange_shape *shape, int bucket_bytes) {
  const int64_t buckets = shape->rounds_travel ? (shape->rounds * bucket_bytes + 3) / 4 * 4 : 0;
  return (int64_t)sizeof(uint32_t) + (int64_t)sizeof(int32_t) * shape->rounds + buckets;
}

/* Bytes that all ranks send for a plan in which `rows` rows of a pair travel: every rank tells every other how many of
 * each pair come, own ones and halo; then the records. */
static inline double rf_plan_bytes(const rf_exchange_shape *shape, int bucket_bytes, int ranks, double rows) {
  const double counts = 8.0 * (double)shape->pairs * ranks * (ranks - 1);
  return counts + (double)(rf_plan_record_bytes(shape, bucket_bytes) * shape->pairs) * rows;
}

#endif
