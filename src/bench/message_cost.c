#include "bench/message_cost.h"
#include "base/median.h"
#include "comm/collective.h"
#include <time.h>

/* Looking for messages busily takes all of a processor, whatever they cost. So a rank sleeps between its looks, which
 * come as often as a computation would look, and what looks take that find nothing is measured, and taken off:
 *
 *   cost of a trip = processor seconds - naps x those of a nap and an idle look     (medians, of trips and of naps)
 *
 * Small messages travel by bursts, as to many ranks. Seconds are the process's: a thread of the MPI library that moves
 * messages counts; threads that spin for work do so in idle naps too. What the kernel does in interrupts it may charge
 * to nobody. */
enum { SMALL_TRIPS = 51, LARGE_TRIPS = 9, IDLE_NAPS = 201, LATE_NAPS = 400, MOST_NAPS = 20000, BURST = 16 };

static const struct timespec nap = {.tv_nsec = 100000}; /* as comm/poll.h wants */

static double processor_seconds(void) {
  struct timespec now;
  (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static rf_status start_message(rf_mesh *mesh, const rf_ring_partners *p, int64_t bytes, int64_t at,
                               rf_flight **flight) {
  const rf_shift shift = {.to = p->to,
                          .from = p->from,
                          .send = p->out,
                          .receive = p->in + at,
                          .send_bytes = p->to < 0 ? 0 : bytes,
                          .receive_bytes = p->from < 0 ? 0 : bytes};
  return rf_shift_start(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, &shift, flight);
}

/* Of a nap and a look at a message that does not come: the first of each ring sends at once, all others later. */
static rf_status time_idle(rf_mesh *mesh, const rf_ring_partners *p, double *seconds) {
  double naps[IDLE_NAPS];
  int n = 0;
  rf_flight *flight;
  for (int i = 0; !p->first && i < LATE_NAPS; i++) (void)nanosleep(&nap, NULL);
  RF_TRY(start_message(mesh, p, 8, 0, &flight));
  while (p->first && n < IDLE_NAPS && !rf_flight_is_done(flight)) {
    const double start = processor_seconds();
    (void)nanosleep(&nap, NULL);
    RF_TRY(rf_mesh_poll(mesh));
    naps[n++] = processor_seconds() - start;
  }
  RF_TRY(rf_flight_wait(flight));
  *seconds = n > 0 ? rf_median(n, naps) : 0;
  return rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, seconds);
}

/* A burst of messages there and as many here; naps: how many it took, each with its look. */
static rf_status make_trip(rf_mesh *mesh, const rf_ring_partners *p, int64_t bytes, int burst, int *naps) {
  rf_flight *flights[BURST];
  *naps = 0;
  for (int i = 0; i < burst; i++) RF_TRY(start_message(mesh, p, bytes, i * bytes, &flights[i]));
  for (int i = 0; i < burst; i++) {
    for (; *naps < MOST_NAPS && !rf_flight_is_done(flights[i]); ++*naps) {
      (void)nanosleep(&nap, NULL);
      RF_TRY(rf_mesh_poll(mesh));
    }
    RF_TRY(rf_flight_wait(flights[i]));
  }
  return RF_OK;
}

/* Of one sent and one received message, the mean over ranks. idle: seconds of a nap. */
static rf_status time_trips(rf_mesh *mesh, const rf_ring_partners *p, int64_t bytes, int trips, int burst, double idle,
                            double *seconds) {
  double sums[2] = {0, p->to >= 0}, spent[SMALL_TRIPS];
  int naps;
  for (int i = -1; i < trips; i++) { /* one that does not count */
    const double start = processor_seconds();
    RF_TRY(make_trip(mesh, p, bytes, burst, &naps));
    if (i >= 0) spent[i] = processor_seconds() - start - naps * idle;
  }
  if (p->to >= 0) sums[0] = rf_median(trips, spent) / burst;
  RF_TRY(rf_sum_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 2, sums));
  *seconds = sums[0] > 0 ? sums[0] / sums[1] : 0;
  return RF_OK;
}

rf_status rf_message_cost_measure(rf_mesh *mesh, const rf_ring_partners *partners, int64_t bytes, rf_link *link) {
  double idle, small, large;
  RF_TRY(time_idle(mesh, partners, &idle));
  RF_TRY(time_trips(mesh, partners, 8, SMALL_TRIPS, BURST, idle, &small));
  RF_TRY(time_trips(mesh, partners, bytes, LARGE_TRIPS, 1, idle, &large));
  link->message = small;
  link->byte = large > small ? (large - small) / (double)bytes : 0;
  return RF_OK;
}
