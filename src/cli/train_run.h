/* A run from the command line to its end. */
#ifndef RF_CLI_TRAIN_RUN_H
#define RF_CLI_TRAIN_RUN_H

#include "cli/options.h"

/* Finds the run's folder (option --run) and where to begin (option --resume), and trains. A run that cannot start
 * leaves no folder behind. RF_STOPPED where it was stopped: what it did is saved, and a line said how to go on. */
rf_status rf_cli_train(const rf_arguments *arguments);

#endif
