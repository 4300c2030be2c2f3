#include "cli/commands.h"
#include "bench/attention.h"
#include "bench/checkpoint.h"
#include "bench/cluster.h"
#include "bench/exchange.h"
#include "bench/step.h"
#include "config/settle.h"
#include "reformer/agree.h"
#include "reformer/config_file.h"
#include <string.h>

enum { MOST_STEPS = 1000000, MOST_SKEW = 20, USUAL_LONGEST = 16384 };
#define LONGEST ((int64_t)1 << 26)

static const struct bench {
  const char *name;
  rf_status (*run)(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options);
  int64_t usual_steps; /* or repeats */
} benches[] = {{"step", rf_bench_step, 10},         {"attention", rf_bench_attention, 3},
               {"exchange", rf_bench_exchange, 10}, {"checkpoint", rf_bench_checkpoint, 7},
               {"cluster", rf_bench_cluster, 0},    {NULL, NULL, 0}};

static const char *bench_name(int number) { return benches[number].name; }

/* What only one of them takes is not looked at for the others. */
static rf_status read_options(const rf_arguments *arguments, const struct bench *bench, rf_bench_options *options) {
  int64_t skew = 0;
  const char *folder = rf_arguments_value(arguments, "folder");
  const bool is_cluster = bench->run == rf_bench_cluster;
  if (bench->run == rf_bench_attention)
    RF_TRY(rf_arguments_int(arguments, "longest", 1024, LONGEST, USUAL_LONGEST, &options->longest));
  if (bench->run == rf_bench_exchange) RF_TRY(rf_arguments_int(arguments, "skew", 0, MOST_SKEW, 0, &skew));
  options->skew = (double)skew;
  options->folder = folder ? folder : ".";
  options->json_path = rf_arguments_value(arguments, is_cluster ? "output" : "json");
  return RF_OK;
}

static rf_status run_bench(const rf_arguments *arguments) {
  const struct bench *bench = benches;
  while (strcmp(arguments->operand[0], bench->name) != 0) bench++; /* it is a choice: rf_arguments_parse has looked */
  rf_config config;
  rf_bench_options options = {0};
  RF_TRY(rf_arguments_int(arguments, "steps", 1, MOST_STEPS, bench->usual_steps, &options.repeats));
  RF_TRY(rf_config_load(arguments->mesh, arguments->operand[1], arguments->sets, arguments->n_sets, &config));
  RF_TRY(rf_agree(arguments->mesh, rf_config_check_training(arguments->operand[1], &config)));
  RF_TRY(read_options(arguments, bench, &options));
  return bench->run(&config, arguments->mesh, &options);
}

static const rf_option options[] = {
    RF_OPTION_SET,
    {"steps", 'n', "N", "training steps, or repetitions, to time (10; attention: 3; checkpoint: 7)"},
    {"longest", 'l', "N", "attention: the greatest length, from 1024 by doubling (16384)"},
    {"skew", 'k', "N", "exchange: how uneven buckets are, 0 (even) to 20"},
    {"folder", 'f', "DIR", "checkpoint: where it is written (the present folder)"},
    {"json", 'j', "FILE", "write the figures as JSON too"},
    {"output", 'o', "FILE", "cluster: write the constants there, for reformer plan --cluster FILE"},
    RF_OPTIONS_ALWAYS};

const rf_command rf_command_bench = {
    .name = "bench",
    .operands = {"WHAT", "CONFIG", NULL},
    .choice = bench_name,
    .summary = "times training steps, attention, the exchange between ranks, checkpoints, or the machines",
    .description =
        "WHAT is step, attention, exchange, checkpoint or cluster.\n"
        "step: times training steps of the model of CONFIG: tokens a second, operations by kind, the share of\n"
        "the machine's peak (its own multiply-add loop on the same threads) that projections, feed-forward and\n"
        "attention reach, time by phase, bytes by purpose, and memory.\n"
        "attention: times one attention sublayer of that shape, forward and reverse, as lsh (1, 2, 4, 8 rounds),\n"
        "local and full attention over lengths, and says from which length on LSH beats full attention here.\n"
        "exchange: times the exchange of LSH attention over the sequence ranks: plan, rows a second, bytes,\n"
        "and the share of a sublayer's time in which messages were not hidden behind arithmetic.\n"
        "checkpoint: times writing the state of that model and its optimizer, and reading it, against plain\n"
        "files of as many bytes with fsync, and how long training stands still against a memcpy of the state.\n"
        "cluster: measures what reformer plan computes a step's time from, on these ranks and for this shape:\n"
        "arithmetic, links within and between hosts, disk.",
    .options = options,
    .ranks = RF_RANKS_TOGETHER,
    .run = run_bench,
};
