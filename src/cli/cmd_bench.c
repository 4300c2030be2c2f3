#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/config_file.h"
#include "train/bench.h"
#include <string.h>

enum { MOST_STEPS = 1000000, USUAL_STEPS = 10 };

static rf_status run(const rf_arguments *arguments) {
  const char *what = arguments->operand[0];
  if (strcmp(what, "step") != 0) {
    return rf_fail(RF_BAD_CONFIG, "reformer bench: found '%.64s'; allowed: step", what);
  }
  rf_config config;
  int64_t steps = 0;
  RF_TRY(rf_arguments_int(arguments, "steps", 1, MOST_STEPS, USUAL_STEPS, &steps));
  RF_TRY(rf_config_load(arguments->operand[1], arguments->sets, arguments->n_sets, &config));
  RF_TRY(rf_config_check_training(arguments->operand[1], &config));
  return rf_bench_step(&config, steps, rf_arguments_value(arguments, "json"));
}

static const rf_option options[] = {RF_OPTION_SET,
                                    {"steps", 'n', "N", "training steps to time (10)"},
                                    {"json", 'j', "FILE", "write the figures as JSON too"},
                                    RF_OPTIONS_ALWAYS};

const rf_command rf_command_bench = {
    .name = "bench",
    .operands = {"step", "CONFIG", NULL},
    .summary = "times training steps against the machine's peak",
    .description = "Times training steps of the model of CONFIG: tokens a second, and the share of the machine's peak\n"
                   "(its own multiply-add loop on the same threads) that the step's arithmetic reaches.",
    .options = options,
    .run = run,
};
