#include "base/log.h"
#include "cli/commands.h"
#include "report/report.h"

static rf_status read_and_write(const rf_arguments *arguments, rf_reported_run *runs, int *n) {
  const char *output = rf_arguments_value(arguments, "output");
  for (; *n < RF_MAX_OPERANDS && arguments->operand[*n]; (*n)++)
    RF_TRY(rf_report_read(arguments->operand[*n], &runs[*n]));
  if (!output) output = "report.html";
  RF_TRY(rf_report_write(runs, *n, output));
  rf_log_info("report %s", output);
  return RF_OK;
}

static rf_status run_report(const rf_arguments *arguments) {
  rf_reported_run runs[RF_MAX_OPERANDS] = {0};
  int n = 0;
  const rf_status status = read_and_write(arguments, runs, &n);
  for (int i = 0; i < RF_MAX_OPERANDS; i++) rf_reported_run_destroy(&runs[i]);
  return status;
}

static const rf_option options[] = {{"output", 'o', "FILE", "where to write it (report.html)"}, RF_OPTIONS_ALWAYS};

const rf_command rf_command_report = {
    .name = "report",
    .operands = {"RUN...", NULL},
    .summary = "curves of runs side by side, as one HTML file",
    .description =
        "Reads metrics.jsonl and config.yaml of one or more (up to 16) runs' folders and writes one HTML file that\n"
        "needs nothing else: loss, validation loss (also by position), tokens a second, memory, bytes sent, gradient\n"
        "norm, learning rate, and what differs between the configurations.",
    .options = options,
    .ranks = RF_RANKS_ONE,
    .run = run_report,
};
