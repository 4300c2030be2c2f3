/* The exact place of every item in its round's order by (bucket, position), when the tokens are cut over the ranks of a
 * sequence: a counting sort whose counts live on many ranks. For comm/ only.
 *
 *   entry e = (pair, round, bucket), flat;   rank o owns the entries span(E, S, o)
 *
 *   1. every rank counts its items by entry and sends the counts to the entries' owners;
 *   2. an owner puts the ranks' items of an entry one behind the other, in rank order (which is position order, so the
 *      sort is stable), and entries behind entries; where its first entry starts it learns from the owners' totals, or
 *      (sparse) from how many items of its row each rank has before it;
 *   3. it sends every rank the place of its first item of each entry.
 *
 * Dense histograms count and send all entries, sparse ones only those that a rank has items of: it sorts them, so that
 * many buckets cost no more than few. */
#ifndef RF_COMM_HISTOGRAM_H
#define RF_COMM_HISTOGRAM_H

#include "comm/histogram_kind.h"
#include "reformer/arena.h"
#include "reformer/mesh_view.h"
#include <stdint.h>

typedef struct rf_bucket_table {
  int64_t pairs, rounds, length; /* length: tokens of the whole sequence */
  int64_t tokens;                /* of this rank */
  int64_t n_buckets;             /* ids of a round */
  int bytes;                     /* of an id: 2 or 4 */
  const void *const *buckets;    /* [pairs] each [rounds, tokens] */
} rf_bucket_table;

static inline uint32_t rf_bucket_at(const rf_bucket_table *t, int64_t pair, int64_t entry) {
  return t->bytes == 2 ? ((const uint16_t *)t->buckets[pair])[entry] : ((const uint32_t *)t->buckets[pair])[entry];
}

/* What its size depends on. */
typedef struct rf_histogram_shape {
  rf_histogram kind;
  int64_t rows;      /* (pair, round) */
  int64_t n_buckets; /* ids of a round */
  int64_t length;    /* tokens of the whole sequence */
  int ranks;
} rf_histogram_shape;

bool rf_histogram_is_dense(const rf_histogram_shape *shape);

/* What a sparse one costs for each entry that a rank has items of and does not own itself: out 8 bytes, back 4. */
enum { RF_SPARSE_ENTRY_BYTES = 12 };
/* Bytes that all ranks send; sparse: those of entries, if it is. */
double rf_histogram_bytes(const rf_histogram_shape *shape, double sparse);

/* Operations of all ranks with all that finding places takes: counts, totals and starts; where sparse totals go with
 * how many entries come, and entries are the counts. */
enum { RF_HISTOGRAM_EXCHANGES = 3 };

/* places: [pairs, rounds, tokens] out: 0 <= place < length. Scratch is given back. */
rf_status rf_histogram_find_places(rf_mesh *mesh, const rf_bucket_table *table, rf_histogram kind, rf_arena *scratch,
                                   int32_t *places);
/* Takes from an arena that only counts what rf_histogram_find_places takes of it at rank `rank`, where ranks have items
 * of so many entries, and gives it back. */
rf_status rf_histogram_footprint(const rf_histogram_shape *shape, int rank, double entries, rf_arena *scratch);

#endif
