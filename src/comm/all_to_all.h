/* Rows from every rank of a scope to every other. For comm/ only. */
#ifndef RF_COMM_ALL_TO_ALL_H
#define RF_COMM_ALL_TO_ALL_H

#include "comm/poll.h"
#include "comm/scope.h"
#include "reformer/error.h"
#include <stdint.h>

/* Every rank sends rows out[out_first[i]] .. out[out_first[i + 1]] to rank i, who knows how many they are, and gets
 * in[in_first[i]] .. from it. What a rank would send to itself is left alone. [size + 1] entries each, read before the
 * call returns; out and in are lent until the flight has been waited for. Bytes are counted under `purpose`. */
typedef struct rf_all_to_all {
  const char *what; /* static text */
  rf_traffic purpose;
  int64_t unit; /* bytes of a row */
  const void *out;
  const int64_t *out_first;
  void *in;
  const int64_t *in_first;
} rf_all_to_all;

rf_status rf_all_to_all_start(rf_mesh *mesh, rf_scope scope, const rf_all_to_all *all, rf_flight **flight);
rf_status rf_all_to_all_run(rf_mesh *mesh, rf_scope scope, const rf_all_to_all *all); /* ... and waits */

#endif
