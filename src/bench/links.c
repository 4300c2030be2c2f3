#include "bench/links.h"
#include "base/clock.h"
#include "bench/message_cost.h"
#include "comm/collective.h"
#include "reformer/arena.h"
#include <assert.h>

enum { ROUND_TRIPS = 200, LARGE_TRIPS = 8 };
#define LARGE ((int64_t)4 << 20)

/* Which host each rank is on, as one of them sees it. */
typedef struct rank_hosts {
  int ranks, rank;
  const int *host; /* [ranks] */
} rank_hosts;

/* Seconds of sending `bytes` to a partner while another sends as many here, the mean over trips. */
static rf_status time_shift(rf_mesh *mesh, int to, int from, int64_t bytes, int trips, char *out, char *in,
                            double *seconds) {
  double start = 0;
  for (int i = -1; i < trips; i++) { /* one that does not count */
    const rf_shift shift = {.to = to,
                            .from = from,
                            .send = out,
                            .receive = in,
                            .send_bytes = to < 0 ? 0 : bytes,
                            .receive_bytes = from < 0 ? 0 : bytes};
    rf_flight *flight;
    if (i == 0) start = rf_clock_seconds();
    RF_TRY(rf_shift_start(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, &shift, &flight));
    RF_TRY(rf_flight_wait(flight));
  }
  *seconds = (rf_clock_seconds() - start) / trips;
  return rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, seconds);
}

/* Which of its host's ranks a rank is. */
static int index_on_host(const rank_hosts *p, int rank) {
  int index = 0;
  for (int r = 0; r < rank; r++) index += p->host[r] == p->host[rank];
  return index;
}

static bool is_in_ring(const rank_hosts *p, bool same_host, int rank) {
  if (same_host) return p->host[rank] == p->host[p->rank];
  return index_on_host(p, rank) == index_on_host(p, p->rank);
}

/* The rank `step` places on (or back) among those that share this rank's host, or those that hold its index on their
 * hosts; the rank itself where there is no other. */
static int partner(const rank_hosts *p, bool same_host, int step) {
  int n = 0, mine = 0;
  for (int r = 0; r < p->ranks; r++) {
    if (r == p->rank) mine = n;
    n += is_in_ring(p, same_host, r);
  }
  assert(n > 0); /* itself at least */
  int left = (mine + step + n) % n, rank = 0;
  while (!is_in_ring(p, same_host, rank) || left-- > 0) rank++;
  return rank;
}

static bool is_first_of_ring(const rank_hosts *p, bool same_host) {
  for (int r = 0; r < p->rank; r++)
    if (is_in_ring(p, same_host, r)) return false;
  return true;
}

static rf_status time_link(rf_mesh *mesh, const rank_hosts *p, bool same_host, rf_link *link) {
  const int to = partner(p, same_host, 1), from = partner(p, same_host, -1);
  const bool none = to == p->rank;
  double small, large, pairs = !none;
  char *out, *in;
  rf_arena *arena;
  RF_TRY(rf_arena_create("bench messages", 0, &arena));
  RF_TRY(rf_arena_take_zero(arena, (size_t)LARGE, 1, &out));
  RF_TRY(rf_arena_take_zero(arena, (size_t)LARGE, 1, &in));
  rf_status status = rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &pairs);
  if (status == RF_OK && pairs > 0) {
    const int to_whom = none ? -1 : to, from_whom = none ? -1 : from;
    status = time_shift(mesh, to_whom, from_whom, 8, ROUND_TRIPS, out, in, &small);
    if (status == RF_OK) status = time_shift(mesh, to_whom, from_whom, LARGE, LARGE_TRIPS, out, in, &large);
    if (status == RF_OK)
      *link = (rf_link){.latency = small, .rate = (double)LARGE / (large > small ? large - small : large)};
    const rf_ring_partners partners = {to_whom, from_whom, !none && is_first_of_ring(p, same_host), out, in};
    if (status == RF_OK) status = rf_message_cost_measure(mesh, &partners, LARGE, link);
  }
  if (status == RF_OK || rf_mesh_size(mesh) == 1) rf_arena_destroy(arena); /* else messages may be under way */
  return status;
}

rf_status rf_links_measure(rf_mesh *mesh, const int *host, rf_link *within, rf_link *between) {
  const rank_hosts p = {.ranks = rf_mesh_size(mesh), .rank = rf_mesh_rank(mesh), .host = host};
  RF_TRY(time_link(mesh, &p, true, within));
  return time_link(mesh, &p, false, between);
}
