#include "cli/train_run.h"
#include "base/log.h"
#include "cli/config_check.h"
#include "comm/agree.h"
#include "comm/collective.h"
#include "comm/host.h"
#include "kernel/parallel.h"
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

/* Rank 0 makes the folder; the others learn its name. */
static rf_status make_folder(const rf_arguments *arguments, rf_mesh *mesh, const char *text, char *folder) {
  char path[RF_MAX_PATH];
  rf_status status = RF_OK;
  if (rf_mesh_rank(mesh) == 0) {
    status =
        rf_run_folder_create(rf_arguments_value(arguments, "run"), arguments->operand[0], text, folder, RF_MAX_PATH);
    if (status == RF_OK) status = rf_run_folder_path(folder, "log.txt", path, sizeof path);
    if (status == RF_OK) status = rf_log_open(path);
  }
  RF_TRY(rf_agree(mesh, status));
  return rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 0, folder, RF_MAX_PATH);
}

static void say_host(const char *line) { rf_log_info("%s", line); }

static rf_status run_on(const rf_arguments *arguments, const rf_config *config, rf_mesh *mesh, const char *text) {
  char folder[RF_MAX_PATH] = "";
  RF_TRY(rf_agree(mesh, check_data(config)));
  RF_TRY(make_folder(arguments, mesh, text, folder));
  rf_log_info("run folder %s", folder);
  RF_TRY(rf_host_describe(rf_threads(), say_host));
  const rf_train_options options = {
      .run_folder = folder, .verbose = rf_arguments_value(arguments, "verbose") != NULL, .config_text = text};
  return rf_train_run(config, mesh, &options);
}

rf_status rf_cli_train(const rf_arguments *arguments, const rf_config *config) {
  char *text = NULL;
  rf_mesh *mesh;
  RF_TRY(rf_config_check_training(arguments->operand[0], config));
  RF_TRY(rf_mesh_create(config->mesh.sequence, config->mesh.data, &mesh));
  rf_status status = rf_agree(mesh, rf_config_emit(config, &text));
  if (status == RF_OK) status = run_on(arguments, config, mesh, text);
  free(text);
  /* after a failure on several ranks, messages may still be under way */
  if (status == RF_OK || rf_mesh_size(mesh) == 1) rf_mesh_destroy(mesh);
  return status;
}
