#include "base/log.h"
#include "cli/commands.h"
#include "cli/train_run.h"

static rf_status run(const rf_arguments *arguments) {
  rf_config config;
  RF_TRY(rf_config_load(arguments->operand[0], arguments->sets, arguments->n_sets, &config));
  return rf_cli_train(arguments, &config);
}

static const rf_option options[] = {
    RF_OPTION_SET, {"run", 'r', "DIR", "the run's folder; runs/CONFIG-N where it is not given"}, RF_OPTIONS_ALWAYS};

const rf_command rf_command_train = {
    .name = "train",
    .operands = {"CONFIG", NULL},
    .summary = "trains the model of a configuration file",
    .description = "Trains the model that the YAML file CONFIG describes (reformer help config lists its keys).\n"
                   "The run's folder gets config.yaml (as resolved, good for another run), metrics.jsonl (one object\n"
                   "a logged step), log.txt and checkpoints/ with the trained state. On a terminal a progress line is\n"
                   "redrawn; elsewhere a plain line comes every output.log_every steps.",
    .options = options,
    .run = run,
};
