/* One training step, the story of the program. */
#ifndef RF_TRAIN_STEP_H
#define RF_TRAIN_STEP_H

#include "reformer/dataset.h"
#include "reformer/model.h"
#include "reformer/optimizer.h"
#include "train/batch.h"

/* Everything a run holds on this rank. */
typedef struct rf_trainer {
  rf_config config;
  rf_mesh *mesh;   /* lent */
  rf_arena *arena; /* the sequences of a step */
  rf_dataset *dataset;
  rf_data_identity data; /* of its file, the same on all ranks */
  rf_model *model;
  rf_optimizer *optimizer;
  rf_sequences sequences;
  rf_keeping keeping; /* what a step keeps of its forward pass */
} rf_trainer;

/* Opens the data, builds and initialises the model. mesh: lent, outlives the trainer; NULL: alone. */
rf_status rf_trainer_create(const rf_config *config, rf_mesh *mesh, rf_trainer *trainer);
/* Not after a failed step on several ranks: what was lent to messages must stay until MPI is finished. */
void rf_trainer_destroy(rf_trainer *trainer);

typedef struct rf_step_result {
  rf_loss loss; /* sums over the batch, of all ranks */
  double learning_rate;
  double grad_norm; /* before clipping */
  bool skipped;     /* loss or gradient not finite: parameters and optimizer state are as before */
} rf_step_result;

/* Step `step`, from 1. */
rf_status rf_train_step(rf_trainer *trainer, int64_t step, rf_step_result *result);

#endif
