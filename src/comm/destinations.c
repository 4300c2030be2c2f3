#include "comm/destinations.h"
#include "comm/span.h"
#include <assert.h>

rf_status rf_owner_map_create(int ranks, int64_t chunks, int64_t before, int64_t after, rf_arena *arena,
                              rf_owner_map *map) {
  *map = (rf_owner_map){.ranks = ranks, .chunks = chunks, .before = before, .after = after};
  RF_TRY(rf_arena_take(arena, (size_t)ranks + 1, sizeof *map->first_chunk, &map->first_chunk));
  if (rf_arena_counts(arena)) return RF_OK;
  for (int r = 0; r <= ranks; r++) map->first_chunk[r] = rf_span_of(chunks, ranks, r).first;
  return RF_OK;
}

rf_status rf_destinations_create(const rf_owner_map *map, rf_arena *arena, rf_destinations *destinations) {
  *destinations = (rf_destinations){0};
  RF_TRY(rf_arena_take(arena, (size_t)map->ranks, sizeof *destinations->rank, &destinations->rank));
  return rf_arena_take_zero(arena, (size_t)map->ranks, sizeof *destinations->seen, &destinations->seen);
}

static void add_destination(rf_destinations *destinations, int rank) {
  if (destinations->seen[rank] == destinations->visit) return;
  destinations->seen[rank] = destinations->visit;
  destinations->rank[destinations->n++] = rank;
}

void rf_destinations_find(const rf_owner_map *map, int64_t rounds, const int64_t *chunk,
                          rf_destinations *destinations) {
  destinations->visit++;
  destinations->n = 0;
  for (int64_t r = 0; r < rounds; r++) {
    assert(chunk[r] >= 0 && chunk[r] < map->chunks);
    add_destination(destinations, (int)rf_span_owner(map->chunks, map->ranks, chunk[r]));
  }
  destinations->n_owners = destinations->n;
  for (int64_t r = 0; r < rounds; r++) {
    /* Chunk c is seen from c - after to c + before; most chunks lie so far inside their owner's that nobody else
     * sees them. */
    const int64_t owner = rf_span_owner(map->chunks, map->ranks, chunk[r]);
    const int64_t low = chunk[r] - map->after, high = chunk[r] + map->before;
    if (low >= map->first_chunk[owner] && high < map->first_chunk[owner + 1]) continue;
    for (int64_t c = low; c <= high; c++) {
      const int64_t in_ring = ((c % map->chunks) + map->chunks) % map->chunks;
      add_destination(destinations, (int)rf_span_owner(map->chunks, map->ranks, in_ring));
    }
  }
}
