/* The state of a run, as a checkpoint holds it. */
#ifndef REFORMER_STATE_H
#define REFORMER_STATE_H

#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/optimizer.h"
#include "reformer/store.h"

RF_API_BEGIN

/* The arrays that make up a state: parameters, and the optimizer's moments where there is one. Their values are
 * lent. Free with rf_state_destroy. */
typedef struct rf_state {
  int n_arrays;
  rf_state_array *arrays;
} rf_state;

/* optimizer: NULL: parameters only. */
rf_status rf_state_create(rf_store *store, const rf_optimizer *optimizer, rf_state *state);
void rf_state_destroy(rf_state *state);

RF_API_END

#endif
