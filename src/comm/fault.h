/* Ranks that fail on request, wherever they turn to the others, so that tests can see what becomes of those. Only
 * builds with RF_FAULTS have them (the presets debug and double); in others this costs nothing.
 *
 *   REFORMER_RANK_FAULT=RANK:N     one rank fails as if it had no memory when it turns to the others for the N-th time:
 *                                  1 when the mesh is made, then at each message, sum, broadcast and agreement */
#ifndef RF_COMM_FAULT_H
#define RF_COMM_FAULT_H

#include "reformer/error.h"

#ifdef RF_FAULTS

/* Counts this call of rank `rank`, which is this process. RF_FAILED where it is the one; RF_BAD_CONFIG where the
 * variable says something else. */
rf_status rf_rank_fault(int rank);

#else

static inline rf_status rf_rank_fault(int rank) {
  (void)rank;
  return RF_OK;
}

#endif
#endif
