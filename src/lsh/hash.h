/* Angular locality-sensitive hashing (paper, section 2): random rotations and the buckets they give. */
#ifndef RF_LSH_HASH_H
#define RF_LSH_HASH_H

#include "kernel/matrix.h"
#include "reformer/config.h"
#include "reformer/rng.h"

typedef struct rf_hash_shape {
  int64_t rounds, d_head;
  int n_factors;
  int64_t factor[RF_MAX_FACTORS]; /* bucket = a1 + n1 a2 + n1 n2 a3 ... */
  int64_t columns;                /* of one round: sum of the factors / 2 */
  int64_t buckets;                /* product of the factors; padding tokens get one more, the last */
} rf_hash_shape;

/* lsh: n_buckets resolved. */
rf_hash_shape rf_hash_shape_of(const rf_lsh_config *lsh, int64_t d_head);

/* Buckets as they are saved between the forward and the backward pass: 2 bytes each, 4 where ids pass 65,535. */
typedef struct rf_buckets {
  void *data;
  int bytes;
} rf_buckets;

static inline int rf_bucket_bytes(int64_t buckets) { return buckets <= UINT16_MAX ? 2 : 4; }
static inline int32_t rf_bucket_get(const rf_buckets *b, int64_t i) {
  return b->bytes == 2 ? ((const uint16_t *)b->data)[i] : (int32_t)((const uint32_t *)b->data)[i];
}
static inline void rf_bucket_set(const rf_buckets *b, int64_t i, int32_t bucket) {
  if (b->bytes == 2)
    ((uint16_t *)b->data)[i] = (uint16_t)bucket;
  else
    ((uint32_t *)b->data)[i] = (uint32_t)bucket;
}

/* rotations: [d_head, rounds * columns], i.i.d. standard normal, drawn at (seed, step, layer, head). */
void rf_rotations_draw(const rf_hash_shape *shape, const rf_draw *draw, real *rotations);

/* Where rows' buckets go: that of row i in round r to entry first + r * stride + i. */
typedef struct rf_bucket_rows {
  rf_buckets buckets;
  int64_t first, stride;
} rf_bucket_rows;

/* Buckets of `rows` queries q [rows, d_head]. mask: [rows], 0 = padding, may be NULL.
 * rotated: [rows, rounds * columns] scratch. */
void rf_hash_rows(const rf_hash_shape *shape, int64_t rows, rf_view q, const real *rotations, const uint8_t *mask,
                  real *rotated, const rf_bucket_rows *to);

#endif
