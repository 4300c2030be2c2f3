/* Sums of losses: over ranks, and as the figures people read. */
#ifndef RF_TRAIN_LOSS_H
#define RF_TRAIN_LOSS_H

#include "comm/mesh.h"
#include "reformer/model.h"

/* Adds up the sums of all ranks, on all ranks. */
rf_status rf_loss_reduce(rf_mesh *mesh, rf_loss *loss);

/* Mean loss, bits and accuracy of sums; NaN where nothing was counted. */
double rf_loss_mean(const rf_loss *loss);
double rf_loss_bits(const rf_loss *loss);
double rf_loss_accuracy(const rf_loss *loss);

#endif
