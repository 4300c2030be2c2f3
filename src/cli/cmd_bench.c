#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/config_file.h"
#include "train/bench.h"
#include "train/bench_exchange.h"
#include <string.h>

enum { MOST_STEPS = 1000000, USUAL_STEPS = 10, MOST_SKEW = 20 };

static rf_status bench_exchange(const rf_arguments *arguments, const rf_config *config, int64_t repeats) {
  int64_t skew = 0;
  RF_TRY(rf_arguments_int(arguments, "skew", 0, MOST_SKEW, 0, &skew));
  const rf_bench_exchange_options options = {
      .repeats = repeats, .skew = (double)skew, .json_path = rf_arguments_value(arguments, "json")};
  return rf_bench_exchange(config, &options);
}

static rf_status run(const rf_arguments *arguments) {
  const char *what = arguments->operand[0];
  const bool exchange = strcmp(what, "exchange") == 0;
  if (!exchange && strcmp(what, "step") != 0)
    return rf_fail(RF_BAD_CONFIG, "reformer bench: found '%.64s'; allowed: step, exchange", what);
  rf_config config;
  int64_t steps = 0;
  RF_TRY(rf_arguments_int(arguments, "steps", 1, MOST_STEPS, USUAL_STEPS, &steps));
  RF_TRY(rf_config_load(arguments->operand[1], arguments->sets, arguments->n_sets, &config));
  RF_TRY(rf_config_check_training(arguments->operand[1], &config));
  return exchange ? bench_exchange(arguments, &config, steps)
                  : rf_bench_step(&config, steps, rf_arguments_value(arguments, "json"));
}

static const rf_option options[] = {RF_OPTION_SET,
                                    {"steps", 'n', "N", "training steps, or repetitions, to time (10)"},
                                    {"skew", 'k', "N", "exchange: how uneven buckets are, 0 (even) to 20"},
                                    {"json", 'j', "FILE", "write the figures as JSON too"},
                                    RF_OPTIONS_ALWAYS};

const rf_command rf_command_bench = {
    .name = "bench",
    .operands = {"step|exchange", "CONFIG", NULL},
    .summary = "times training steps against the machine's peak, or the exchange between ranks",
    .description =
        "step: times training steps of the model of CONFIG: tokens a second, operations by kind, the share of\n"
        "the machine's peak (its own multiply-add loop on the same threads) that projections, feed-forward and\n"
        "attention reach, time by phase, bytes by purpose, and memory.\n"
        "exchange: times the exchange of LSH attention over the sequence ranks: plan, rows a second, bytes,\n"
        "and the share of a sublayer's time in which messages were not hidden behind arithmetic.",
    .options = options,
    .run = run,
};
