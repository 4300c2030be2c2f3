/* What a plan tells the owner of a row, and how much that is. For comm/ only.
 *
 *   uint32 position, its top bit set for padding
 *   int32 place in each round's order
 *   with rounds_travel: the bucket in each round, in 2 or 4 bytes; padded to 4 bytes */
#ifndef RF_COMM_EXCHANGE_RECORD_H
#define RF_COMM_EXCHANGE_RECORD_H

#include "comm/exchange_types.h"
#include <stddef.h>
#include <string.h>

#define RF_PADDING_BIT ((uint32_t)1 << 31)

static inline int64_t rf_exchange_record_bytes(const rf_exchange_shape *shape, int bucket_bytes) {
  const int64_t buckets = shape->rounds_travel ? (shape->rounds * bucket_bytes + 3) / 4 * 4 : 0;
  return (int64_t)sizeof(uint32_t) + (int64_t)sizeof(int32_t) * shape->rounds + buckets;
}

static inline void rf_exchange_record_set_position(unsigned char *record, int64_t position, bool padding) {
  const uint32_t marked = (uint32_t)position | (padding ? RF_PADDING_BIT : 0);
  memcpy(record, &marked, sizeof marked);
}
static inline int32_t rf_exchange_record_position(const unsigned char *record, bool *padding) {
  uint32_t marked;
  memcpy(&marked, record, sizeof marked);
  *padding = (marked & RF_PADDING_BIT) != 0;
  return (int32_t)(marked & ~RF_PADDING_BIT);
}

static inline void rf_exchange_record_set_place(unsigned char *record, int64_t round, int32_t place) {
  memcpy(record + sizeof(uint32_t) + (size_t)round * sizeof place, &place, sizeof place);
}
static inline int32_t rf_exchange_record_place(const unsigned char *record, int64_t round) {
  int32_t place;
  memcpy(&place, record + sizeof(uint32_t) + (size_t)round * sizeof place, sizeof place);
  return place;
}

/* Of `rounds` rounds, which travel. */
static inline size_t rf_exchange_record_bucket_at(int64_t rounds, int bucket_bytes, int64_t round) {
  return sizeof(uint32_t) + (size_t)rounds * sizeof(int32_t) + (size_t)(round * bucket_bytes);
}
static inline void rf_exchange_record_set_bucket(unsigned char *record, int64_t rounds, int bucket_bytes, int64_t round,
                                                 uint32_t bucket) {
  const uint16_t in_two = (uint16_t)bucket;
  const size_t at = rf_exchange_record_bucket_at(rounds, bucket_bytes, round);
  memcpy(record + at, bucket_bytes == 2 ? (const void *)&in_two : &bucket, (size_t)bucket_bytes);
}
static inline uint32_t rf_exchange_record_bucket(const unsigned char *record, int64_t rounds, int bucket_bytes,
                                                 int64_t round) {
  const size_t at = rf_exchange_record_bucket_at(rounds, bucket_bytes, round);
  uint32_t bucket = 0;
  uint16_t in_two = 0;
  memcpy(bucket_bytes == 2 ? (void *)&in_two : &bucket, record + at, (size_t)bucket_bytes);
  return in_two | bucket;
}

/* Times that every rank sends to every other for a plan, once places are found: counts and records. */
enum { RF_EXCHANGE_PLAN_EXCHANGES = 2 };

/* Bytes that all ranks send for a plan in which `rows` rows of all pairs travel: every rank tells every other how many
 * of each pair come, own ones and halo; then the records. */
static inline double rf_exchange_plan_bytes(const rf_exchange_shape *shape, int bucket_bytes, int ranks, double rows) {
  const double counts = 8.0 * (double)shape->pairs * ranks * (ranks - 1);
  return counts + (double)rf_exchange_record_bytes(shape, bucket_bytes) * rows;
}

#endif
