#include "cli/program.h"
#include "base/log.h"
#include "base/streams.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/ranks.h"
#include "comm/launch.h"
#include "kernel/thread_stacks.h"
#include "reformer/agree.h"
#include "reformer/real.h"
#include "reformer/threads.h"
#include "reformer/version.h"
#include "train/machine.h"
#include <stdlib.h>
#include <string.h>

/* A command line, and what is known of other copies of this process before MPI starts. */
typedef struct call {
  int argc;
  char **argv;
  rf_launch launch;
  bool joined; /* MPI was started, or it was tried */
  rf_mesh **mesh;
} call;

static rf_status refuse_copies(const rf_command *command, const rf_launch *launch) {
  if (launch->ranks <= 1) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "reformer %s: found %lld ranks; allowed: 1: start it with mpirun -n 1, or alone",
                 command->name, (long long)launch->ranks);
}

static rf_status join_ranks(call *c) {
  c->joined = true;
  RF_TRY(rf_mesh_open(rf_mpi_start(NULL, NULL), c->mesh));
  return rf_ranks_compare(*c->mesh, c->argc, c->argv);
}

static rf_status run_on_ranks(call *c, rf_arguments *arguments) {
  RF_TRY(join_ranks(c));
  rf_threads_start(*c->mesh);
  RF_TRY(rf_agree(*c->mesh, rf_thread_stacks_check()));
  arguments->mesh = *c->mesh;
  return rf_agree(*c->mesh, arguments->command->run(arguments));
}

/* Sorts a copy: what is compared between ranks is the command line as it was given. */
static rf_status parse_words(const call *c, const rf_command *command, rf_arguments *arguments) {
  char **words = calloc((size_t)c->argc, sizeof *words);
  if (!words) return rf_fail(RF_FAILED, "out of memory: a command line of %d words", c->argc);
  memcpy(words, c->argv + 1, (size_t)(c->argc - 1) * sizeof *words);
  const rf_status status = rf_arguments_parse(command, c->argc - 1, words, arguments);
  free(words);
  return status;
}

static rf_status run_command(call *c, const rf_command *command) {
  rf_arguments arguments;
  RF_TRY(parse_words(c, command, &arguments));
  if (rf_arguments_value(&arguments, "verbose")) rf_log_set_verbose(true);
  if (rf_arguments_value(&arguments, "help")) {
    if (c->launch.rank == 0) rf_help_command(stdout, command);
    return RF_OK;
  }
  if (command->ranks == RF_RANKS_TOGETHER) return run_on_ranks(c, &arguments);
  if (command->ranks == RF_RANKS_ONE) RF_TRY(refuse_copies(command, &c->launch));
  rf_threads_start(NULL);
  return command->run(&arguments);
}

static void print_version(void) {
  printf("reformer %s (%s)\n", RF_VERSION, RF_REAL_NAME);
  rf_machine_print();
}

/* --help and --version are whole command lines. */
static rf_status check_alone(const call *c) {
  if (c->argc == 2) return RF_OK;
  return rf_fail(RF_BAD_CONFIG,
                 "%s: found '%.64s' where nothing more belongs; a command comes first: see reformer --help", c->argv[1],
                 c->argv[2]);
}

static rf_status find_command(const char *word, const rf_command **command) {
  *command = rf_command_find(word);
  if (*command) return RF_OK;
  if (word[0] == '-')
    return rf_fail(RF_BAD_CONFIG,
                   "found '%.64s' where a command belongs, before its options; allowed: a command, --help alone, "
                   "--version alone; see reformer --help",
                   word);
  return rf_fail(RF_BAD_CONFIG, "unknown command '%.64s'; the nearest known one is %s; see reformer --help", word,
                 rf_command_nearest(word));
}

static rf_status run_words(call *c) {
  const bool speaks = c->launch.rank == 0;
  if (c->argc < 2) {
    if (speaks) rf_help_program(stderr, rf_commands);
    return rf_fail(RF_BAD_CONFIG, "a command is missing; allowed: those above");
  }
  const char *word = c->argv[1];
  if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
    RF_TRY(check_alone(c));
    if (speaks) rf_help_program(stdout, rf_commands);
    return RF_OK;
  }
  if (strcmp(word, "--version") == 0) {
    RF_TRY(check_alone(c));
    if (speaks) print_version();
    return RF_OK;
  }
  const rf_command *command;
  RF_TRY(find_command(word, &command));
  return run_command(c, command);
}

/* Before any copy ends with a failure all have heard of it: the launcher ends the others at the first that does. Copies
 * that cannot meet end each by itself, and so do those whose command ended well without MPI: in a script under mpirun
 * the next command may be one that needs it, which can be started once. */
static rf_status tell_copies(call *c, rf_status status) {
  if (status == RF_OK || c->launch.ranks <= 1 || c->joined || rf_launch_is_bare(&c->launch)) return status;
  char *message = strdup(rf_error_message());
  rf_status joined = join_ranks(c);
  if (joined == RF_OK) joined = rf_agree(*c->mesh, rf_fail(status, "%s", message ? message : "out of memory"));
  free(message);
  return joined;
}

/* *mesh: what was opened, for the caller to destroy, or NULL. */
static rf_status run_here(int argc, char **argv, rf_mesh **mesh) {
  call c = {.argc = argc, .argv = argv, .launch = rf_launch_read_copies(), .mesh = mesh};
  rf_log_set_rank((int)c.launch.rank);
  return tell_copies(&c, run_words(&c));
}

static void say_program_failure(rf_status status) {
  if (status == RF_OK || status == RF_STOPPED) return;
  rf_log_error("%s", rf_error_message());
  if (rf_log_is_verbose() && rf_error_trace()[0] != '\0') rf_log_info("passed through: %s", rf_error_trace());
}

/* What is closed last may fail, too; the first failure counts. */
static rf_status then_closed(rf_status status, rf_status closed) {
  if (status != RF_OK || closed == RF_OK) return status;
  say_program_failure(closed);
  return closed;
}

int rf_program_main(int argc, char **argv) {
  rf_mesh *mesh = NULL;
  rf_status status = rf_streams_hold();
  if (status == RF_OK) status = run_here(argc, argv, &mesh);
  rf_log_status("");
  say_program_failure(status);
  status = then_closed(status, rf_streams_finish());
  status = then_closed(status, rf_log_close());
  rf_mesh_destroy(mesh);
  /* Every rank finalises before any ends with a status: the launcher kills the others at the first that is not 0. */
  rf_mpi_finish();
  return (int)status;
}
