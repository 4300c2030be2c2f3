/* Bytes that a rank sends to other ranks, counted by what they are for. What a rank keeps to itself is not traffic. */
#ifndef RF_COMM_TRAFFIC_H
#define RF_COMM_TRAFFIC_H

#include "comm/scope.h"
#include "reformer/mesh_view.h"
#include <stdint.h>

const char *rf_traffic_name(rf_traffic purpose); /* "histogram", ... */

void rf_traffic_add(rf_mesh *mesh, rf_traffic purpose, int64_t bytes);
/* Sent by this rank since the start or the last reset. */
void rf_traffic_read(const rf_mesh *mesh, int64_t bytes[RF_TRAFFIC_PURPOSES]);
void rf_traffic_reset(rf_mesh *mesh);

#endif
