/* What --help prints, on standard output. */
#ifndef RF_CLI_HELP_H
#define RF_CLI_HELP_H

#include "cli/options.h"
#include <stdio.h>

/* commands: NULL at the end. */
void rf_help_program(FILE *stream, const rf_command *const *commands);
void rf_help_command(FILE *stream, const rf_command *command);
/* Every configuration key with default, what is allowed, and help; as a Markdown table where asked. */
void rf_help_config(FILE *stream, bool markdown);

#endif
