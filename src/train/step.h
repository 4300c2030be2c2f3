/* The trainer (train/trainer.h) from its making to its end, and one training step, the story of the program. */
#ifndef RF_TRAIN_STEP_H
#define RF_TRAIN_STEP_H

#include "reformer/checkpoint.h"
#include "reformer/step.h"
#include "train/trainer.h"

/* Opens the data, builds and initialises the model. mesh: lent, outlives the trainer; NULL: alone. */
rf_status rf_trainer_create(const rf_config *config, rf_mesh *mesh, rf_trainer *trainer);
/* Not after a failed step on several ranks: what was lent to messages must stay until MPI is finished. */
void rf_trainer_destroy(rf_trainer *trainer);

/* Step `step`, from 1. */
rf_status rf_train_step(rf_trainer *trainer, int64_t step, rf_step_result *result);

/* What a checkpoint of the state after `step` steps says of the run. config_text: YAML of the configuration, lent;
 * machine: of rf_machine_describe; eval_loss: of an evaluation at this very step, else NaN. */
rf_checkpoint_header rf_trainer_header(const rf_trainer *trainer, const char *config_text, const char *machine,
                                       int64_t step, double eval_loss);

#endif
