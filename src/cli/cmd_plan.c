#include "base/log.h"
#include "base/text.h"
#include "cli/commands.h"
#include "comm/mesh.h"
#include "config/settle.h"
#include "plan/plan.h"
#include "reformer/config_file.h"
#include "storage/output.h"
#include <math.h>

enum { MOST_RANKS = 1 << 20, MOST_MEBIBYTES = 1 << 30 };
#define USUAL_LATENCY 20e-6 /* of Ethernet, where no hosts were measured */

/* Another network than the constants were measured over: what a host's link carries, shared by its ranks, less the
 * headers of TCP over Ethernet. */
static rf_status set_link(const rf_arguments *arguments, rf_rates *cluster) {
  const char *text = rf_arguments_value(arguments, "gbits");
  double gbits;
  if (!text) return RF_OK;
  const char *end = rf_text_number(text, &gbits);
  const double ranks_a_host = ceil((double)cluster->ranks / cluster->hosts);
  if (!end || *end != '\0' || !(gbits > 0 && gbits <= 1e6))
    return rf_fail(RF_BAD_CONFIG, "--gbits: found '%.64s'; allowed: a number above 0 and at most 1000000", text);
  cluster->between.rate = gbits * 1e9 / 8 * 0.94 / ranks_a_host;
  if (cluster->between.latency <= 0) cluster->between.latency = USUAL_LATENCY;
  return RF_OK;
}

static rf_status run_plan(const rf_arguments *arguments) {
  rf_config config;
  rf_rates cluster;
  int64_t ranks = 1, memory = 0;
  const char *file = rf_arguments_value(arguments, "cluster");
  RF_TRY(rf_arguments_int(arguments, "ranks", 1, MOST_RANKS, 0, &ranks));
  RF_TRY(rf_arguments_int(arguments, "memory", 1, MOST_MEBIBYTES, 0, &memory));
  RF_TRY(rf_config_load(NULL, arguments->operand[0], arguments->sets, arguments->n_sets, &config));
  RF_TRY(rf_config_check_training(arguments->operand[0], &config));
  if (file) RF_TRY(rf_rates_read(file, &cluster));
  if (file) RF_TRY(set_link(arguments, &cluster));
  if (rf_arguments_value(arguments, "json"))
    RF_TRY(rf_output_differs(rf_arguments_value(arguments, "json"), file, "--cluster"));
  if (file && cluster.precision != config.model.precision)
    rf_log_warn(
        "%s: was measured with model.precision %s, and the run's is %s: its products take another time; measure "
        "with reformer bench cluster --set model.precision=%s",
        file, rf_precision_names[cluster.precision], rf_precision_names[config.model.precision],
        rf_precision_names[config.model.precision]);
  if (config.training.memory_limit == RF_MEMORY_AUTO && memory == 0)
    rf_log_warn("training.memory_limit: auto is what a rank has free, which is not known here: give --memory MIB; "
                "planned is a run that keeps nothing");
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
    {"gbits", 'g', "X", "a link of so many Gbit/s from each host in place of the measured one"},
    {"memory", 'm', "MIB",
     "what a rank may take: whether it fits, the longest sequence that does; training.memory_limit: auto is this"},
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
    .ranks = RF_RANKS_ONE,
    .run = run_plan,
};
