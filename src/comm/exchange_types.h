/* What an exchange of rows is made from and what comes of it; comm/exchange.h tells the story. Types and their sizes.
 */
#ifndef RF_COMM_EXCHANGE_TYPES_H
#define RF_COMM_EXCHANGE_TYPES_H

#include "comm/histogram_kind.h"
#include "comm/owners.h"
#include "reformer/config.h"
#include "reformer/real.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct rf_exchange_shape {
  int64_t pairs, rounds;
  int64_t tokens; /* L, of the whole sequence, padded; a multiple of chunk */
  int64_t chunk, chunks_before, chunks_after;
  int64_t n_buckets;      /* ids of a round, the padding bucket included */
  bool rounds_travel;     /* rows bring their chunk and bucket in every round */
  rf_histogram histogram; /* RF_HISTOGRAM_AUTO but in tests */
  rf_wire wire;           /* of fields wider than 1; rows that stay at home are never rounded */
  int64_t together;       /* pairs that are cut over the ranks in one row (comm/owners.h); divides pairs */
  int64_t parts, part;    /* of what each of several ranks owns; 1, 0: all */
} rf_exchange_shape;

/* Of each pair, rank `rank` of `ranks` is home to these tokens of L; and who owns which chunks. */
static inline rf_span rf_home_of(const rf_exchange_shape *shape, int ranks, int rank) {
  return rf_span_of(shape->tokens, ranks, rank);
}
static inline rf_owners rf_owners_of(const rf_exchange_shape *shape, int ranks) {
  return (rf_owners){.ranks = ranks,
                     .together = shape->together,
                     .parts = shape->parts,
                     .part = shape->part,
                     .rounds = shape->rounds,
                     .per_round = shape->tokens / shape->chunk,
                     .before = shape->chunks_before,
                     .after = shape->chunks_after};
}

/* Whether a field of this width goes as bf16 in a message; and its bytes there. */
static inline bool rf_travels_as_bf16(rf_wire wire, int64_t width) { return wire == RF_WIRE_BF16 && width > 1; }
static inline int64_t rf_wire_bytes(rf_wire wire, int64_t width) {
  return width * (int64_t)(rf_travels_as_bf16(wire, width) ? sizeof(uint16_t) : sizeof(real));
}

/* What this rank owns of a pair. Rows 0 .. n_own - 1 have a slot in the owned chunks and stand by position; rows n_own
 * .. n_rows - 1 are halo and stand by position. Nothing where it owns no chunks. */
typedef struct rf_exchange_pair {
  int64_t n_rows, n_own;
  int32_t *position; /* [n_rows] in the sequence */
  uint8_t *mask;     /* [n_rows] 0 = padding */
  /* [rounds, n_rows], with rounds_travel, else NULL: chunk over all rounds; round * n_buckets + bucket */
  int32_t *chunk_in_round, *bucket_in_round;
  /* [rf_owners_seen * chunk] row of each slot of the chunks that the windows of the owned ones see: of each round's
   * stretch, one behind the other, from the first slot of chunk first - before of the pair's ring on. Halo slots may
   * name own rows. */
  int32_t *row_of_slot;
} rf_exchange_pair;

/* Rows of other ranks' tokens here, and of this rank's tokens elsewhere: distinct (pair, token, other rank). */
typedef struct rf_exchange_counts {
  int64_t own_sent, halo_sent, own_received, halo_received;
} rf_exchange_counts;

typedef struct rf_exchange rf_exchange;

#endif
