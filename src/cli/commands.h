/* The sub-commands, one file each. */
#ifndef RF_CLI_COMMANDS_H
#define RF_CLI_COMMANDS_H

#include "cli/options.h"

extern const rf_command rf_command_train, rf_command_eval, rf_command_inspect, rf_command_verify, rf_command_import,
    rf_command_export, rf_command_plan, rf_command_report, rf_command_bench, rf_command_help;

/* All of them, NULL at the end. */
extern const rf_command *const rf_commands[];

/* The command of a name; NULL: none. */
const rf_command *rf_command_find(const char *name);
/* The name nearest to a word. */
const char *rf_command_nearest(const char *word);

#endif
