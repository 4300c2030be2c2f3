/* A stripe: a few consecutive chunks of one round of one pair, the unit of work of a thread. Its rows are gathered once
 * into contiguous buffers, with the halo of neighbouring chunks on both sides:
 *
 *     key slots           | before | chunk 0 | chunk 1 | chunk 2 | .. | chunk n-1 | after |     [keys, d_head]
 *     queries                      | chunk 0 | chunk 1 | chunk 2 | .. | chunk n-1 |             [n * chunk, d_head]
 *     window of chunk 1            '---------'----^----'---------'
 *
 * Keys and values are gathered transposed too: [d_head, ldkt]. */
#ifndef RF_LSH_STRIPE_H
#define RF_LSH_STRIPE_H

#include "lsh/windows.h"
#include "reformer/arena.h"

typedef struct rf_stripe {
  int64_t pair, round;
  int64_t first_chunk, n_chunks; /* in the ring of all rounds */
  int64_t first_seen;            /* of the pair's chunks that are seen: the first of the halo before */
  int64_t keys;                  /* slots of chunks and halos */
} rf_stripe;

/* All stripes here, round after round and in each pair after pair: those of a pair in a round are first[round * pairs +
 * pair] and on, to the next one's first. */
typedef struct rf_stripes {
  rf_stripe *stripe;
  int64_t *first; /* [rounds * pairs + 1] */
} rf_stripes;

/* Per-thread buffers for the largest stripe. */
typedef struct rf_stripe_buffers {
  int64_t ldkt;
  int32_t *row;      /* [keys] */
  rf_tokens as_keys; /* of all key slots; the queries are the entries after the halo before */
  int32_t *position, *order, *limit, *bucket, *chunk_in_round, *bucket_in_round; /* what as_keys points at */
  real *q, *k, *kt, *v, *vt, *d_o;
  rf_attend_scratch scratch;   /* of one chunk */
  rf_attended result;          /* forward: of one chunk */
  real *m, *z_inverse, *delta; /* reverse: of the stripe's queries */
  real *dq, *dk, *dv;          /* reverse: of one chunk's queries, of all keys */
} rf_stripe_buffers;

/* Chunks of a stripe: about 512 tokens, so that buffers stay in the second-level cache and a halo costs little. A
 * function of shapes only: results must not depend on the number of threads. */
int64_t rf_stripe_chunks(const rf_windows *windows);
/* On an arena that only counts, of no use but for the count. */
rf_status rf_stripes_take(const rf_windows *windows, rf_arena *arena, rf_stripes *stripes);
int64_t rf_stripes_most(const rf_windows *windows); /* of the round that has most */

rf_status rf_stripe_buffers_take(const rf_windows *windows, bool reverse, rf_arena *arena, rf_stripe_buffers *buffers);
void rf_stripe_gather(const rf_windows *windows, const rf_stripe *stripe, bool reverse, rf_stripe_buffers *buffers);

#endif
