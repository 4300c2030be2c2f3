/* Sums of losses over ranks. */
#ifndef RF_TRAIN_LOSS_H
#define RF_TRAIN_LOSS_H

#include "comm/mesh.h"
#include "reformer/loss.h"

/* Adds up the sums of all ranks, on all ranks. */
rf_status rf_loss_reduce(rf_mesh *mesh, rf_loss *loss);

#endif
