#include "cli/train_run.h"
#include "base/log.h"
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

static rf_status make_folder(const rf_arguments *arguments, const rf_config *config, char *folder, size_t size) {
  char *text = NULL;
  RF_TRY(rf_config_emit(config, &text));
  rf_status status =
      rf_run_folder_create(rf_arguments_value(arguments, "run"), arguments->operand[0], text, folder, size);
  free(text);
  return status;
}

rf_status rf_cli_train(const rf_arguments *arguments, const rf_config *config, const rf_config *evaluate) {
  char folder[RF_MAX_PATH], path[RF_MAX_PATH];
  RF_TRY(check_data(config));
  if (evaluate) RF_TRY(check_data(evaluate));
  RF_TRY(make_folder(arguments, config, folder, sizeof folder));
  RF_TRY(rf_run_folder_path(folder, "log.txt", path, sizeof path));
  RF_TRY(rf_log_open(path));
  rf_log_info("run folder %s", folder);
  rf_train_options options = {
      .run_folder = folder, .verbose = rf_arguments_value(arguments, "verbose") != NULL, .evaluate = evaluate};
  return rf_train_run(config, &options);
}
