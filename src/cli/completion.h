/* Completion of command lines in bash, from the tables of commands, options and configuration keys. */
#ifndef RF_CLI_COMPLETION_H
#define RF_CLI_COMPLETION_H

#include "cli/options.h"
#include <stdio.h>

/* A script to be sourced, or to be put where bash-completion looks. commands: NULL at the end. */
void rf_completion_write(FILE *stream, const rf_command *const *commands);

#endif
