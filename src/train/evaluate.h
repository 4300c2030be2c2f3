/* The loss of a model over a split of a dataset. */
#ifndef RF_TRAIN_EVALUATE_H
#define RF_TRAIN_EVALUATE_H

#include "reformer/dataset.h"
#include "reformer/model.h"
#include "train/batch.h"
#include "train/stop.h"

/* Sequences in order, at most training.eval_batches batches of them (0: the whole split), without dropout and with
 * rotations of their own, on all ranks of the model's mesh. *loss: sums over the counted tokens of all ranks; counted
 * is 0 where the split is empty, or where the ranks found a reason to stop, which they look for between batches.
 * sequences: overwritten; stop: NULL: nothing stops it. */
rf_status rf_evaluate(rf_model *model, const rf_dataset *dataset, rf_split split, rf_sequences *sequences,
                      rf_stop *stop, rf_loss *loss);

/* The same, and says the result in one line of the log; `name` is what was evaluated. Where nothing was counted nothing
 * is said. */
rf_status rf_evaluate_say(rf_model *model, const rf_dataset *dataset, rf_split split, rf_sequences *sequences,
                          rf_stop *stop, const char *name);
void rf_loss_say(const rf_model *model, const char *name, const rf_loss *loss);

#endif
