/* Who owns which chunk of slots: whoever wants to know asks here.
 *
 * The slots of a pair (sequence, head) are cut into chunks, per_round of them in each round. The chunks of some pairs
 * stand in one row: pair after pair, within a pair chunk after chunk, and of each chunk the rounds side by side. The
 * row is cut evenly over the ranks:
 *
 *                       pair 0                          pair 1
 *   round 0   |  0    2    4    6    8    10  |  12   14   16   18   20   22  |     numbers in the row
 *   round 1   |    1    3    5    7    9    11|    13   15   17   19   21   23|
 *             '----- rank 0 ----'------ rank 1 -----'------ rank 2 -----'------ rank 3 ...
 *
 * So a rank owns a stretch of chunks of each round, at the same places. A token whose slots stand at like places in
 * several rounds has one owner for them; and where pairs are at least as many as ranks, most have one owner for all.
 *
 * Where memory does not allow a rank to have the rows of all that it owns, it takes them in parts: each rank's stretch
 * of the row is cut evenly again, and an owner map is that of one part. Rows of a token that has slots in two parts of
 * a rank go there twice.
 *
 * Windows look at neighbours in another order, a ring of all rounds of a pair, round after round (lsh/windows.h). */
#ifndef RF_COMM_OWNERS_H
#define RF_COMM_OWNERS_H

#include "comm/span.h"

typedef struct rf_owners {
  int ranks;
  int64_t together;    /* pairs in a row, of which any number of rows follow each other; 1: each pair is cut alone */
  int64_t parts, part; /* of how many this is which; 1, 0: all */
  int64_t rounds, per_round;
  int64_t before, after; /* chunks that a window sees beside its own */
} rf_owners;

/* Of a pair, over all its rounds; and the place in their ring of a chunk of a round. */
static inline int64_t rf_owners_chunks(const rf_owners *o) { return o->rounds * o->per_round; }
static inline int64_t rf_owners_in_ring(const rf_owners *o, int64_t round, int64_t chunk) {
  return round * o->per_round + chunk;
}

/* Numbers in a row, and which of them a rank owns in this part. */
static inline int64_t rf_owners_number(const rf_owners *o, int64_t pair, int64_t round, int64_t chunk) {
  return (pair % o->together * o->per_round + chunk) * o->rounds + round;
}
static inline rf_span rf_owners_numbers(const rf_owners *o, int rank) {
  return rf_span_of(o->together * rf_owners_chunks(o), o->ranks * o->parts, rank * o->parts + o->part);
}
/* Which part of all ranks' parts has a number; and the rank, where that is this part of its, else -1. */
static inline int64_t rf_owners_part_of(const rf_owners *o, int64_t number) {
  return rf_span_owner(o->together * rf_owners_chunks(o), o->ranks * o->parts, number);
}
static inline int rf_owner_of(const rf_owners *o, int64_t number) {
  const int64_t part = rf_owners_part_of(o, number);
  return part % o->parts == o->part ? (int)(part / o->parts) : -1;
}

/* The chunks that a rank owns of a round of a pair: a stretch of them; first: within the round. */
rf_span rf_owners_stretch(const rf_owners *owners, int rank, int64_t pair, int64_t round);

/* Chunks that the windows of a stretch see, its own included: before + count + after; of no chunks none. An owner keeps
 * those of its stretches of a pair one round behind the other; rf_owners_seen_before counts those of earlier rounds. */
static inline int64_t rf_stretch_seen(const rf_owners *o, rf_span stretch) {
  return stretch.count > 0 ? o->before + stretch.count + o->after : 0;
}
int64_t rf_owners_seen_before(const rf_owners *owners, int rank, int64_t pair, int64_t round);
static inline int64_t rf_owners_seen(const rf_owners *o, int rank, int64_t pair) {
  return rf_owners_seen_before(o, rank, pair, o->rounds);
}

/* Of what a rank owns of `pairs` pairs, the part that is this pair's. */
double rf_owners_share(const rf_owners *owners, int rank, int64_t pair, int64_t pairs);

/* Rows that a pair may have: of each of its tokens one, whatever the buckets are. */
typedef struct rf_pair_size {
  int64_t tokens, chunk; /* slots of a chunk */
} rf_pair_size;

/* Most rows of `pairs` pairs that any rank may have: a bound, and without work however many ranks there are. */
int64_t rf_owners_most_rows(const rf_owners *owners, int64_t pairs, rf_pair_size size);

/* Owners of a token's slots that are not its home, expected over random buckets and summed over parts; halos do not
 * count. */
double rf_owners_expected(const rf_owners *owners);

#endif
