#include "train/evaluate.h"
#include "base/log.h"
#include "reformer/rng.h"
#include "train/loss.h"

rf_status rf_evaluate(rf_model *model, const rf_dataset *dataset, rf_split split, rf_sequences *sequences,
                      rf_stop *stop, rf_loss *loss) {
  const rf_training_config *training = &rf_model_config_of(model)->training;
  rf_mesh *mesh = rf_store_mesh(rf_model_store(model));
  const int64_t groups = rf_mesh_data_size(mesh), batch = sequences->count * groups;
  int64_t n = rf_dataset_sequences(dataset, split);
  if (training->eval_batches > 0 && n > training->eval_batches * batch) n = training->eval_batches * batch;
  *loss = (rf_loss){0};
  for (int64_t first = 0; first < n; first += batch) {
    if (stop) RF_TRY(rf_stop_look(stop));
    if (stop && stop->reason != 0) {
      *loss = (rf_loss){0};
      return RF_OK;
    }
    RF_TRY(rf_sequences_read(sequences, dataset, split, (uint64_t)first, n - first));
    for (int64_t i = 0; i * sequences->micro < sequences->count && i * sequences->micro * groups < n - first; i++) {
      const rf_batch micro = rf_sequences_batch(sequences, i, training->seed, (uint32_t)RF_EVAL_STEP);
      RF_TRY(rf_model_evaluate(model, &micro, loss));
    }
  }
  return rf_loss_reduce(mesh, loss);
}

void rf_loss_say(const rf_model *model, const char *name, const rf_loss *loss) {
  rf_log_info("%s: loss %.4f, %.3f bits/token, accuracy %.2f %% over %lld tokens (%lld rounds of hashing)", name,
              rf_loss_mean(loss), rf_loss_bits(loss), 100 * rf_loss_accuracy(loss), (long long)loss->counted,
              (long long)rf_model_config_of(model)->lsh.n_hashes);
}

rf_status rf_evaluate_say(rf_model *model, const rf_dataset *dataset, rf_split split, rf_sequences *sequences,
                          rf_stop *stop, const char *name) {
  rf_loss loss;
  RF_TRY(rf_evaluate(model, dataset, split, sequences, stop, &loss));
  if (loss.counted > 0) rf_loss_say(model, name, &loss);
  return RF_OK;
}
