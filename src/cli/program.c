#include "cli/program.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/threads.h"
#include "cli/version.h"
#include "comm/launch.h"
#include "comm/mesh.h"
#include "reformer/real.h"
#include <string.h>

static rf_status refuse_copies(const rf_command *command, const rf_launch *launch) {
  if (launch->ranks <= 1) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "reformer %s: found %lld ranks; allowed: 1: start it with mpirun -n 1, or alone",
                 command->name, (long long)launch->ranks);
}

static rf_status start_ranks(void) {
  const rf_status status = rf_mpi_start(NULL, NULL);
  rf_log_set_rank(rf_mpi_rank());
  return status;
}

static rf_status run_command(const rf_command *command, const rf_launch *launch, int argc, char **argv) {
  rf_arguments arguments;
  RF_TRY(rf_arguments_parse(command, argc, argv, &arguments));
  if (rf_arguments_value(&arguments, "verbose")) rf_log_set_verbose(true);
  if (rf_arguments_value(&arguments, "help")) {
    if (launch->rank == 0) rf_help_command(stdout, command);
    return RF_OK;
  }
  if (command->alone) RF_TRY(refuse_copies(command, launch));
  if (command->many) RF_TRY(start_ranks());
  RF_TRY(rf_threads_start(command->many));
  return command->run(&arguments);
}

static rf_status run(const rf_launch *launch, int argc, char **argv) {
  const bool speaks = launch->rank == 0;
  if (argc < 2) {
    if (speaks) rf_help_program(stderr, rf_commands);
    return rf_fail(RF_BAD_CONFIG, "a command is missing; allowed: those above");
  }
  const char *word = argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    if (speaks) rf_help_program(stdout, rf_commands);
    return RF_OK;
  }
  if (strcmp(word, "--version") == 0) {
    if (speaks) (void)printf("reformer %s (%s)\n", RF_VERSION, RF_REAL_NAME);
    return RF_OK;
  }
  const rf_command *command = rf_command_find(word);
  if (!command) {
    return rf_fail(RF_BAD_CONFIG, "unknown command '%.64s'; the nearest known one is %s; see reformer --help", word,
                   rf_command_nearest(word));
  }
  return run_command(command, launch, argc - 1, argv + 1);
}

rf_status rf_program_run(int argc, char **argv) {
  const rf_launch launch = rf_launch_read_copies();
  rf_log_set_rank((int)launch.rank);
  return run(&launch, argc, argv);
}

void rf_program_meet(void) {
  if (rf_launch_read_copies().ranks > 1) (void)rf_mpi_start(NULL, NULL);
}
