#include "cli/commands.h"
#include "cli/train_run.h"
#include "reformer/rng.h"
#include <string.h>

static rf_status run(const rf_arguments *arguments) {
  rf_config config;
  RF_TRY(rf_config_load(arguments->operand[0], arguments->sets, arguments->n_sets, &config));
  rf_config evaluate = config;
  RF_TRY(rf_arguments_int(arguments, "hashes", 1, RF_RNG_MAX_ROUNDS, config.lsh.n_hashes, &evaluate.lsh.n_hashes));
  const char *path = rf_arguments_value(arguments, "data");
  if (path && (path[0] == '\0' || strlen(path) >= sizeof evaluate.data.path)) {
    return rf_fail(RF_BAD_CONFIG, "--data: found a path of %zu bytes; allowed: 1 to %d", strlen(path), RF_MAX_PATH - 1);
  }
  if (path && config.data.kind == RF_DATA_DUPLICATE) {
    return rf_fail(RF_BAD_CONFIG,
                   "--data: found '%.64s' where data.kind is duplicate, which reads no file; leave it out", path);
  }
  if (path) {
    memset(evaluate.data.path, 0, sizeof evaluate.data.path);
    memcpy(evaluate.data.path, path, strlen(path));
  }
  return rf_cli_train(arguments, &config, &evaluate);
}

static const rf_option options[] = {RF_OPTION_SET,
                                    {"run", 'r', "DIR", "the run's folder; runs/CONFIG-N where it is not given"},
                                    {"data", 'd', "PATH", "evaluate on this file instead of data.path"},
                                    {"hashes", 'n', "N", "evaluate with so many rounds of hashing"},
                                    RF_OPTIONS_ALWAYS};

const rf_command rf_command_eval = {
    .name = "eval",
    .operands = {"CONFIG", NULL},
    .summary = "trains, then evaluates on other data or with other hash rounds",
    .description = "Trains the model of CONFIG as reformer train does and then, in the same process, evaluates it on\n"
                   "the validation and the test split, with the data and the hash rounds given here.",
    .options = options,
    .computes = true,
    .run = run,
};
