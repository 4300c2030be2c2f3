/* Where a token's row is sent: to the owners of its slots in a part (comm/owners.h), and to the ranks whose chunks look
 * at one of its slots from nearby.
 *
 *   ring of a pair's chunks   .. 2   3   4   5   6 ..      of these a rank owns 3, 4, 5
 *   needed by that rank          2   3   4   5             with `before` 1: its own, and chunk 2 as halo
 */
#ifndef RF_COMM_DESTINATIONS_H
#define RF_COMM_DESTINATIONS_H

#include "comm/owners.h"
#include "reformer/arena.h"

/* Those of a token. For one thread. */
typedef struct rf_destinations {
  int n_owners; /* the first of rank[]: own one of its slots */
  int n;        /* the others need it as halo only */
  int *rank;    /* [ranks] */
  int64_t *seen, visit;
} rf_destinations;

/* On an arena that only counts of no use but for the count. */
rf_status rf_destinations_create(int ranks, rf_arena *arena, rf_destinations *destinations);

/* chunk: [rounds] of the slots of one of the pair's tokens, each within its round. */
void rf_destinations_find(const rf_owners *owners, int64_t pair, const int64_t *chunk, rf_destinations *destinations);

#endif
