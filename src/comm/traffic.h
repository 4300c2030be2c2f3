/* Bytes that a rank sends to other ranks, counted by what they are for. What a rank keeps to itself is not traffic. */
#ifndef RF_COMM_TRAFFIC_H
#define RF_COMM_TRAFFIC_H

#include <stdint.h>

typedef enum rf_traffic {
  RF_TRAFFIC_HISTOGRAM,  /* bucket counts, and where each bucket's items start */
  RF_TRAFFIC_PLAN,       /* slots of the rows of an exchange */
  RF_TRAFFIC_ROWS,       /* rows of an exchange, to the owners of their slots and back */
  RF_TRAFFIC_HALO,       /* rows that an owner needs for its neighbours' chunks only */
  RF_TRAFFIC_PARAMETERS, /* all-gather of parameters */
  RF_TRAFFIC_GRADIENTS,  /* reduce-scatter of gradients */
  RF_TRAFFIC_LOSS,       /* sums of losses and counts */
  RF_TRAFFIC_OTHER,      /* agreement, statistics, checkpoints */
  RF_TRAFFIC_PURPOSES    /* how many there are */
} rf_traffic;

const char *rf_traffic_name(rf_traffic purpose); /* "histogram", ... */

struct rf_mesh;

void rf_traffic_add(struct rf_mesh *mesh, rf_traffic purpose, int64_t bytes);
/* Sent by this rank since the start or the last reset. */
void rf_traffic_read(const struct rf_mesh *mesh, int64_t bytes[RF_TRAFFIC_PURPOSES]);
void rf_traffic_reset(struct rf_mesh *mesh);

#endif
