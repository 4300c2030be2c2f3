#include "cli/train_run.h"
#include "base/log.h"
#include "cli/config_check.h"
#include "reformer/dataset.h"
#include "train/loop.h"
#include "train/run_folder.h"
#include <stdlib.h>

static rf_status check_data(const rf_config *config) {
  rf_dataset *dataset = NULL;
  RF_TRY(rf_dataset_open(&config->data, config->model.vocab_size, config->training.seed, &dataset));
  rf_dataset_destroy(dataset);
  return RF_OK;
}

static rf_status run_in_folder(const rf_arguments *arguments, const rf_config *config, const char *text) {
  char folder[RF_MAX_PATH], path[RF_MAX_PATH];
  RF_TRY(
      rf_run_folder_create(rf_arguments_value(arguments, "run"), arguments->operand[0], text, folder, sizeof folder));
  RF_TRY(rf_run_folder_path(folder, "log.txt", path, sizeof path));
  RF_TRY(rf_log_open(path));
  rf_log_info("run folder %s", folder);
  const rf_train_options options = {
      .run_folder = folder, .verbose = rf_arguments_value(arguments, "verbose") != NULL, .config_text = text};
  return rf_train_run(config, &options);
}

rf_status rf_cli_train(const rf_arguments *arguments, const rf_config *config) {
  char *text = NULL;
  RF_TRY(rf_config_check_training(arguments->operand[0], config));
  RF_TRY(check_data(config));
  RF_TRY(rf_config_emit(config, &text));
  const rf_status status = run_in_folder(arguments, config, text);
  free(text);
  return status;
}
