/* A model out of a checkpoint, for every command that goes on from one. */
#ifndef RF_CLI_SAVED_MODEL_H
#define RF_CLI_SAVED_MODEL_H

#include "cli/options.h"
#include "reformer/checkpoint.h"
#include "reformer/config.h"
#include "reformer/model.h"

/* Checks every byte of a checkpoint, then opens it. RF_BAD_DATA. */
rf_status rf_saved_open(const char *folder, rf_checkpoint **checkpoint);

/* The checkpoint's configuration with each "key.path=value" of `sets` laid over it. RF_BAD_CONFIG where that is due to
 * the sets, RF_BAD_DATA where the checkpoint's own text does not read. */
rf_status rf_saved_config(const char *folder, const rf_checkpoint *checkpoint, const char *const *sets, int n_sets,
                          rf_config *config);

/* A model of the configuration with the checkpoint's parameters. RF_BAD_DATA where they do not fit. */
rf_status rf_saved_model(rf_checkpoint *checkpoint, const rf_config *config, rf_model **model);

#endif
