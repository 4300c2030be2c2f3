/* A model over a split, token by token. */
#ifndef RF_TRAIN_SCORE_H
#define RF_TRAIN_SCORE_H

#include "reformer/dataset.h"
#include "reformer/model.h"
#include "weights/logits_file.h"

/* Every sequence of a split in order (training.eval_batches does not count here): logits, token losses and their mean
 * into an HDF5 file (weights/logits_file.h). *loss: sums over the counted tokens. */
rf_status rf_score(rf_model *model, const rf_dataset *dataset, rf_split split, const rf_logits_place *place,
                   rf_loss *loss);

#endif
