/* Which ranks need a token: the owners of its slots, and the ranks whose chunks look at one of its slots from nearby.
 *
 *   chunks of a pair   | 0 1 2 | 3 4 5 | 6 7 8 |      rank r owns span(C, S, r), in a ring over all rounds
 *   needed by rank 1         2   3 4 5                with chunks_before 1: its own, and chunk 2 as halo
 */
#ifndef RF_COMM_ROUTE_H
#define RF_COMM_ROUTE_H

#include "reformer/arena.h"
#include <stdint.h>

typedef struct rf_route {
  int ranks;
  int64_t chunks, before, after;
  int64_t *first_chunk; /* [ranks + 1] */
} rf_route;

/* Who needs a token. For one thread. */
typedef struct rf_needers {
  int n_owners; /* the first of rank[]: own one of its slots */
  int n;        /* the others need it as halo only */
  int *rank;    /* [ranks] */
  int64_t *seen, visit;
} rf_needers;

rf_status rf_route_create(int ranks, int64_t chunks, int64_t before, int64_t after, rf_arena *arena, rf_route *route);
rf_status rf_needers_create(const rf_route *route, rf_arena *arena, rf_needers *needers);

/* chunk: [rounds] of the token's slots, over all rounds. */
void rf_route_find(const rf_route *route, int64_t rounds, const int64_t *chunk, rf_needers *needers);

#endif
