#include "cli/commands.h"
#include "cli/config_check.h"
#include "cli/config_file.h"
#include "comm/mesh.h"
#include "plan/plan.h"

enum { MOST_RANKS = 1 << 20, MOST_MEBIBYTES = 1 << 30 };

static rf_status run(const rf_arguments *arguments) {
  rf_config config;
  rf_cluster cluster;
  int64_t ranks = 1, memory = 0;
  const char *file = rf_arguments_value(arguments, "cluster");
  RF_TRY(rf_arguments_int(arguments, "ranks", 1, MOST_RANKS, 0, &ranks));
  RF_TRY(rf_arguments_int(arguments, "memory", 1, MOST_MEBIBYTES, 0, &memory));
  RF_TRY(rf_config_load(arguments->operand[0], arguments->sets, arguments->n_sets, &config));
  RF_TRY(rf_config_check_training(arguments->operand[0], &config));
  if (file) RF_TRY(rf_cluster_read(file, &cluster));
  if (ranks == 0) ranks = config.mesh.sequence * (config.mesh.data > 0 ? config.mesh.data : 1);
  const rf_plan_options options = {.ranks = ranks,
                                   .cluster = file ? &cluster : NULL,
                                   .memory = (double)memory * 1048576,
                                   .json_path = rf_arguments_value(arguments, "json")};
  return rf_plan_print(&config, &options);
}

static const rf_option options[] = {
    RF_OPTION_SET,
    {"ranks", 'n', "N", "for so many ranks (those of mesh.sequence x mesh.data)"},
    {"cluster", 'c', "FILE", "constants that reformer bench cluster -o FILE measured; without, no times"},
    {"memory", 'm', "MIB", "what a rank may take: tells whether it fits, and the longest sequence that does"},
    {"json", 'j', "FILE", "write the figures as JSON too"},
    RF_OPTIONS_ALWAYS};

const rf_command rf_command_plan = {
    .name = "plan",
    .operands = {"CONFIG", NULL},
    .summary = "memory, bytes and time of a run before it is queued",
    .description =
        "Computes what a training run of CONFIG would take on N ranks, without them: memory of a rank by part,\n"
        "bytes of a step by purpose, and, from constants that reformer bench cluster measured, time by phase,\n"
        "what limits it, the fastest mesh, and how a step grows to thousands of ranks.",
    .options = options,
    .alone = true,
    .run = run,
};
