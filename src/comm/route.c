#include "comm/route.h"
#include "comm/span.h"
#include <assert.h>

rf_status rf_route_create(int ranks, int64_t chunks, int64_t before, int64_t after, rf_arena *arena, rf_route *route) {
  *route = (rf_route){.ranks = ranks, .chunks = chunks, .before = before, .after = after};
  RF_TRY(rf_arena_take(arena, (size_t)ranks + 1, sizeof *route->first_chunk, &route->first_chunk));
  for (int r = 0; r <= ranks; r++) route->first_chunk[r] = rf_span_of(chunks, ranks, r).first;
  return RF_OK;
}

rf_status rf_needers_create(const rf_route *route, rf_arena *arena, rf_needers *needers) {
  *needers = (rf_needers){0};
  RF_TRY(rf_arena_take(arena, (size_t)route->ranks, sizeof *needers->rank, &needers->rank));
  return rf_arena_take_zero(arena, (size_t)route->ranks, sizeof *needers->seen, &needers->seen);
}

static void add(rf_needers *needers, int rank) {
  if (needers->seen[rank] == needers->visit) return;
  needers->seen[rank] = needers->visit;
  needers->rank[needers->n++] = rank;
}

void rf_route_find(const rf_route *route, int64_t rounds, const int64_t *chunk, rf_needers *needers) {
  needers->visit++;
  needers->n = 0;
  for (int64_t r = 0; r < rounds; r++) {
    assert(chunk[r] >= 0 && chunk[r] < route->chunks);
    add(needers, (int)rf_span_owner(route->chunks, route->ranks, chunk[r]));
  }
  needers->n_owners = needers->n;
  for (int64_t r = 0; r < rounds; r++) {
    /* Chunk c is seen from c - after to c + before; most chunks lie so far inside their owner's that nobody else
     * sees them. */
    const int64_t owner = rf_span_owner(route->chunks, route->ranks, chunk[r]);
    const int64_t low = chunk[r] - route->after, high = chunk[r] + route->before;
    if (low >= route->first_chunk[owner] && high < route->first_chunk[owner + 1]) continue;
    for (int64_t c = low; c <= high; c++) {
      const int64_t in_ring = ((c % route->chunks) + route->chunks) % route->chunks;
      add(needers, (int)rf_span_owner(route->chunks, route->ranks, in_ring));
    }
  }
}
