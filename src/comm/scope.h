/* What every operation between ranks is marked with: who takes part in it, and what its bytes are for. */
#ifndef RF_COMM_SCOPE_H
#define RF_COMM_SCOPE_H

/* Which ranks take part in something. */
typedef enum rf_scope {
  RF_SCOPE_WORLD,    /* all N */
  RF_SCOPE_SEQUENCE, /* the S ranks of this rank's data group, once the mesh is arranged */
  RF_SCOPE_DATA,     /* the D ranks with this rank's place in their groups, likewise */
  RF_SCOPES          /* how many there are */
} rf_scope;

/* What bytes that a rank sends to other ranks are for (comm/traffic.h). */
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

#endif
