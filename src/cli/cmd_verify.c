#include "base/log.h"
#include "cli/commands.h"
#include "comm/mesh.h"
#include "reformer/checkpoint.h"

static void say_damage(void *context, const char *line) {
  (void)context;
  rf_log_warn("%s", line);
}

static rf_status run_verify(const rf_arguments *arguments) {
  int64_t bytes;
  RF_TRY(rf_checkpoint_verify(arguments->operand[0], say_damage, NULL, &bytes));
  rf_log_info("%s: whole: %lld bytes match their hashes", arguments->operand[0], (long long)bytes);
  return RF_OK;
}

static const rf_option options[] = {RF_OPTIONS_ALWAYS};

const rf_command rf_command_verify = {
    .name = "verify",
    .operands = {"CHECKPOINT", NULL},
    .summary = "checks every byte of a checkpoint",
    .description =
        "Reads every file of CHECKPOINT and compares it with the hashes that were taken when it was written.\n"
        "Each run of damaged bytes is named, with the tensors that lie there. Exit status 3: damaged.",
    .options = options,
    .ranks = RF_RANKS_ONE,
    .run = run_verify,
};
