/* Everything a run holds on this rank. Made, stepped and destroyed by train/step.h. */
#ifndef RF_TRAIN_TRAINER_H
#define RF_TRAIN_TRAINER_H

#include "reformer/checkpoint.h"
#include "reformer/dataset.h"
#include "reformer/model.h"
#include "reformer/optimizer.h"
#include "train/batch.h"

typedef struct rf_trainer {
  rf_config config;
  rf_mesh *mesh;   /* lent */
  rf_arena *arena; /* the sequences of a step */
  rf_dataset *dataset;
  rf_data_identity data; /* of its file, the same on all ranks */
  rf_model *model;
  rf_optimizer *optimizer;
  rf_sequences sequences;
  rf_stash_summary stash; /* what a step stashes of its forward pass */
} rf_trainer;

#endif
