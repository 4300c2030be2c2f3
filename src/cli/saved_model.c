#include "cli/saved_model.h"
#include "kernel/thread_stacks.h"
#include "reformer/config_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

rf_status rf_saved_open(const char *folder, rf_checkpoint **checkpoint) {
  *checkpoint = NULL;
  RF_TRY(rf_checkpoint_verify(folder, NULL, NULL, NULL));
  return rf_checkpoint_open(folder, checkpoint);
}

rf_status rf_saved_config(const char *folder, const rf_checkpoint *checkpoint, const char *const *sets, int n_sets,
                          rf_config *config) {
  const char *text = rf_checkpoint_info_of(checkpoint)->header.config;
  char where[RF_MAX_PATH];
  snprintf(where, sizeof where, "%.900s (its configuration)", folder);
  const rf_status status = rf_config_parse(where, text, strlen(text), sets, n_sets, config);
  if (status != RF_BAD_CONFIG) return status;
  /* Whose fault is it? */
  char *message = strdup(rf_error_message());
  rf_config own;
  const bool reads = n_sets > 0 && rf_config_parse(where, text, strlen(text), NULL, 0, &own) == RF_OK;
  const rf_status told = rf_fail(reads ? RF_BAD_CONFIG : RF_BAD_DATA, "%s", message ? message : "out of memory");
  free(message);
  return told;
}

rf_status rf_saved_model(rf_checkpoint *checkpoint, const rf_config *config, rf_model **model) {
  RF_TRY(rf_thread_stacks_check());
  RF_TRY(rf_model_create(config, NULL, model));
  const rf_status status = rf_checkpoint_load_parameters(checkpoint, rf_model_store(*model));
  if (status == RF_OK) return RF_OK;
  rf_model_destroy(*model);
  *model = NULL;
  return status;
}
