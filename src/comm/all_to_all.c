#include "comm/all_to_all.h"
#include "comm/flight.h"
#include "comm/mesh_view.h"
#include "comm/traffic.h"

rf_status rf_all_to_all_start(rf_mesh *mesh, rf_scope scope, const rf_all_to_all *all, rf_flight **flight) {
  const int size = mesh->groups[scope].size, rank = mesh->groups[scope].rank;
  const unsigned char *out = all->out;
  unsigned char *in = all->in;
  RF_TRY(rf_flight_open(mesh, scope, all->what, all->unit, flight));
  for (int d = 1; d < size; d++) {
    const int to = (rank + d) % size, from = (rank - d + size) % size;
    const int64_t rows = all->out_first[to + 1] - all->out_first[to];
    rf_flight_receive(*flight, from, in + all->in_first[from] * all->unit,
                      all->in_first[from + 1] - all->in_first[from]);
    rf_flight_send(*flight, to, out + all->out_first[to] * all->unit, rows);
    rf_traffic_add(mesh, all->purpose, rows * all->unit);
  }
  return rf_flight_launch(*flight);
}

rf_status rf_all_to_all_run(rf_mesh *mesh, rf_scope scope, const rf_all_to_all *all) {
  rf_flight *flight;
  if (rf_mesh_size_of(mesh, scope) == 1) return RF_OK;
  RF_TRY(rf_all_to_all_start(mesh, scope, all, &flight));
  return rf_flight_wait(flight);
}
