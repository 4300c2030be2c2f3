#include "comm/destinations.h"
#include <assert.h>
#include <stdbool.h>

rf_status rf_destinations_create(int ranks, rf_arena *arena, rf_destinations *destinations) {
  *destinations = (rf_destinations){0};
  RF_TRY(rf_arena_take(arena, (size_t)ranks, sizeof *destinations->rank, &destinations->rank));
  return rf_arena_take_zero(arena, (size_t)ranks, sizeof *destinations->seen, &destinations->seen);
}

static void add_destination(rf_destinations *destinations, int rank) {
  if (rank < 0) return; /* in another part */
  if (destinations->seen[rank] == destinations->visit) return;
  destinations->seen[rank] = destinations->visit;
  destinations->rank[destinations->n++] = rank;
}

/* Whether all chunks that see this one lie beside it in its round, in the same part of its owner's. Most do. */
static bool is_inside(const rf_owners *o, int64_t pair, int64_t round, int64_t chunk) {
  const int64_t low = chunk - o->after, high = chunk + o->before;
  if (low < 0 || high >= o->per_round) return false;
  return rf_owners_part_of(o, rf_owners_number(o, pair, round, low)) ==
         rf_owners_part_of(o, rf_owners_number(o, pair, round, high));
}

/* Chunk c is seen from c - after to c + before in the ring. */
static void add_onlookers(const rf_owners *o, int64_t pair, int64_t in_ring, rf_destinations *destinations) {
  const int64_t chunks = rf_owners_chunks(o);
  for (int64_t c = in_ring - o->after; c <= in_ring + o->before; c++) {
    const int64_t at = ((c % chunks) + chunks) % chunks;
    add_destination(destinations, rf_owner_of(o, rf_owners_number(o, pair, at / o->per_round, at % o->per_round)));
  }
}

void rf_destinations_find(const rf_owners *o, int64_t pair, const int64_t *chunk, rf_destinations *destinations) {
  destinations->visit++;
  destinations->n = 0;
  for (int64_t r = 0; r < o->rounds; r++) {
    assert(chunk[r] >= 0 && chunk[r] < o->per_round);
    add_destination(destinations, rf_owner_of(o, rf_owners_number(o, pair, r, chunk[r])));
  }
  destinations->n_owners = destinations->n;
  for (int64_t r = 0; r < o->rounds; r++)
    if (!is_inside(o, pair, r, chunk[r])) add_onlookers(o, pair, rf_owners_in_ring(o, r, chunk[r]), destinations);
}
