#include "train/step.h"
#include "base/phase.h"
#include "comm/collective.h"
#include "train/fault.h"
#include "train/inputs.h"
#include "train/loss.h"
#include "train/memory.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

static rf_status build_trainer(const rf_config *config, rf_trainer *t) {
  RF_TRY(rf_dataset_open(&config->data, config->model.vocab_size, config->training.seed, &t->dataset));
  RF_TRY(rf_inputs_compare(config, t->mesh, t->dataset, &t->data));
  RF_TRY(rf_arena_create("sequences", 0, &t->arena));
  RF_TRY(
      rf_sequences_take(config, t->mesh, config->training.batch, config->training.accumulate, t->arena, &t->sequences));
  RF_TRY(rf_model_create(config, t->mesh, &t->model));
  rf_store_initialise(rf_model_store(t->model), config->training.seed, config->model.init_std);
  RF_TRY(rf_optimizer_create(&t->config.optimizer, rf_model_store(t->model), &t->optimizer));
  return rf_trainer_choose_stash(t);
}

rf_status rf_trainer_create(const rf_config *config, rf_mesh *mesh, rf_trainer *trainer) {
  *trainer = (rf_trainer){.config = *config, .mesh = mesh};
  const rf_status status = build_trainer(config, trainer);
  if (status != RF_OK) rf_trainer_destroy(trainer);
  return status;
}

void rf_trainer_destroy(rf_trainer *trainer) {
  rf_optimizer_destroy(trainer->optimizer);
  rf_model_destroy(trainer->model);
  rf_arena_destroy(trainer->arena);
  rf_dataset_destroy(trainer->dataset);
  memset(trainer, 0, sizeof *trainer);
}

/* The loss is divided by the tokens counted in the whole step on all ranks, so that every token weighs the same in
 * whichever micro-batch it stands. */
static rf_status accumulate_gradients(rf_trainer *t, int64_t step, rf_loss *loss) {
  const rf_sequences *sequences = &t->sequences;
  int64_t counted = rf_sequences_counted(sequences);
  RF_TRY(rf_sum_integers(t->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_LOSS, 1, &counted));
  const double scale = counted > 0 ? 1.0 / (double)counted : 0;
  rf_store_clear_gradients(rf_model_store(t->model));
  for (int64_t i = 0; i * sequences->micro < sequences->count; i++) {
    const rf_batch batch = rf_sequences_batch(sequences, i, t->config.training.seed, (uint32_t)step);
    RF_TRY(rf_model_gradients(t->model, &batch, scale, loss));
  }
  RF_TRY(rf_fault_in_gradients(t->mesh, step, loss));
  return rf_loss_reduce(t->mesh, loss);
}

rf_status rf_train_step(rf_trainer *t, int64_t step, rf_step_result *result) {
  const rf_training_config *training = &t->config.training;
  const uint64_t first = (uint64_t)(step - 1) * (uint64_t)training->batch;
  *result = (rf_step_result){.learning_rate = rf_schedule_rate(&t->config.optimizer, step, training->steps)};
  RF_TRY(rf_sequences_read(&t->sequences, t->dataset, RF_SPLIT_TRAIN, first, training->batch));
  RF_TRY(rf_fault_in_reading(t->mesh, step));
  RF_TRY(accumulate_gradients(t, step, &result->loss));
  rf_phases *phases = rf_mesh_phases(t->mesh);
  RF_TRY_IN(phases, RF_PHASE_OPTIMIZER, rf_gradient_norm(rf_model_store(t->model), &result->grad_norm));
  result->skipped = !isfinite(result->loss.sum) || !isfinite(result->grad_norm);
  if (result->skipped) return RF_OK;
  const double scale = rf_clip_scale(result->grad_norm, training->clip_norm);
  RF_TRY_IN(phases, RF_PHASE_OPTIMIZER, rf_optimizer_update(t->optimizer, step, result->learning_rate, scale));
  return RF_OK;
}

rf_checkpoint_header rf_trainer_header(const rf_trainer *t, const char *config_text, const char *machine, int64_t step,
                                       double eval_loss) {
  rf_checkpoint_header header = {.config = config_text,
                                 .step = step,
                                 .seed = t->config.training.seed,
                                 .mesh_sequence = rf_mesh_sequence_size(t->mesh),
                                 .mesh_data = rf_mesh_data_size(t->mesh),
                                 .eval_loss = eval_loss,
                                 .data = t->data};
  (void)snprintf(header.machine, sizeof header.machine, "%s", machine);
  return header;
}
