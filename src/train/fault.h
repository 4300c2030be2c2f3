/* Faults on request, so that tests can see what a failing rank does to the others. Only builds with RF_FAULTS have them
 * (the presets debug and double); in others this costs nothing.
 *
 *   REFORMER_FAULT=RANK:FIRST[-LAST]:KIND        in the steps FIRST to LAST of one rank:
 *     data        its data cannot be read (RF_BAD_DATA)
 *     memory      no memory is left after its gradients are done (RF_FAILED)
 *     nonfinite   its loss is NaN
 *     hang        it does not come back from reading */
#ifndef RF_TRAIN_FAULT_H
#define RF_TRAIN_FAULT_H

#include "comm/mesh.h"
#include "reformer/model.h"

#ifdef RF_FAULTS

/* RF_BAD_CONFIG where the variable says something else. */
rf_status rf_fault_in_reading(const rf_mesh *mesh, int64_t step);
rf_status rf_fault_in_gradients(const rf_mesh *mesh, int64_t step, rf_loss *loss);

#else

static inline rf_status rf_fault_in_reading(const rf_mesh *mesh, int64_t step) {
  (void)mesh, (void)step;
  return RF_OK;
}

static inline rf_status rf_fault_in_gradients(const rf_mesh *mesh, int64_t step, rf_loss *loss) {
  (void)mesh, (void)step, (void)loss;
  return RF_OK;
}

#endif
#endif
