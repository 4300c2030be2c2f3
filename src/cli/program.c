#include "cli/program.h"
#include "base/log.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/ranks.h"
#include "cli/version.h"
#include "comm/mesh.h"
#include "reformer/real.h"
#include <string.h>

static rf_status refuse_many_ranks(const rf_command *command) {
  int ranks = rf_mpi_size();
  if (ranks == 1) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "reformer %s: found %d ranks; allowed: 1: start it with mpirun -n 1, or alone",
                 command->name, ranks);
}

static rf_status run_command(const rf_command *command, int argc, char **argv, rf_mesh *mesh) {
  rf_arguments arguments;
  RF_TRY(rf_arguments_parse(command, argc, argv, &arguments));
  arguments.mesh = mesh;
  if (rf_arguments_value(&arguments, "verbose")) rf_log_set_verbose(true);
  if (rf_arguments_value(&arguments, "help")) {
    if (rf_mpi_rank() == 0) rf_help_command(stdout, command);
    return RF_OK;
  }
  if (command->alone) RF_TRY(refuse_many_ranks(command));
  return command->run(&arguments);
}

rf_status rf_program_run(int argc, char **argv, rf_mesh *mesh) {
  RF_TRY(rf_ranks_compare(mesh, argc, argv));
  bool speaks = rf_mpi_rank() == 0;
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
  return run_command(command, argc - 1, argv + 1, mesh);
}
