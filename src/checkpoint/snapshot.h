/* A copy of this rank's part of a state, so that training goes on while it is written. The memory is taken and touched
 * once, at the start of a run: where it is not there, that shows before hours of work are in. */
#ifndef RF_CHECKPOINT_SNAPSHOT_H
#define RF_CHECKPOINT_SNAPSHOT_H

#include "reformer/state.h"

typedef struct rf_snapshot {
  rf_state state; /* arrays whose values are copies; those that this rank does not save are empty */
  char *memory;   /* [bytes], owned */
  size_t bytes;
} rf_snapshot;

/* RF_FAILED where there is no memory: then nothing is taken. */
rf_status rf_snapshot_create(const rf_state *state, int rank, rf_snapshot *snapshot);
void rf_snapshot_destroy(rf_snapshot *snapshot);

/* Copies the numbers of a state, the one of create. RF_FAILED, with the array's name, where one is not finite. */
rf_status rf_snapshot_take(rf_snapshot *snapshot, const rf_layout *layout, const rf_state *state);
/* As take, of the arrays that this rank saves, without a copy. */
rf_status rf_snapshot_check(const rf_layout *layout, const rf_state *state, int rank);

#endif
