/* A folder for the run, then the run. */
#ifndef RF_CLI_TRAIN_RUN_H
#define RF_CLI_TRAIN_RUN_H

#include "cli/config_file.h"
#include "cli/options.h"

/* Opens the data first, so that a run that cannot start leaves no folder behind; then makes the folder (option --run)
 * and trains. */
rf_status rf_cli_train(const rf_arguments *arguments, const rf_config *config);

#endif
