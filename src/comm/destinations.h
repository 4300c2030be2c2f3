/* Where a token's row is sent: to the owners of its slots, and to the ranks whose chunks look at one of its slots from
 * nearby.
 *
 *   chunks of a pair   | 0 1 2 | 3 4 5 | 6 7 8 |      rank r owns span(C, S, r), in a ring over all rounds
 *   needed by rank 1         2   3 4 5                with chunks_before 1: its own, and chunk 2 as halo
 */
#ifndef RF_COMM_DESTINATIONS_H
#define RF_COMM_DESTINATIONS_H

#include "reformer/arena.h"
#include <stdint.h>

/* Who owns which chunks, and from how far chunks are looked at. */
typedef struct rf_owner_map {
  int ranks;
  int64_t chunks, before, after;
  int64_t *first_chunk; /* [ranks + 1] */
} rf_owner_map;

/* Those of a token. For one thread. */
typedef struct rf_destinations {
  int n_owners; /* the first of rank[]: own one of its slots */
  int n;        /* the others need it as halo only */
  int *rank;    /* [ranks] */
  int64_t *seen, visit;
} rf_destinations;

/* On an arena that only counts, both are of no use but for the count. */
rf_status rf_owner_map_create(int ranks, int64_t chunks, int64_t before, int64_t after, rf_arena *arena,
                              rf_owner_map *map);
rf_status rf_destinations_create(const rf_owner_map *map, rf_arena *arena, rf_destinations *destinations);

/* chunk: [rounds] of the token's slots, over all rounds. */
void rf_destinations_find(const rf_owner_map *map, int64_t rounds, const int64_t *chunk, rf_destinations *destinations);

#endif
