/* The help as pages for man: reformer(1), reformer-COMMAND(1), reformer-config(5), in the man macros of roff. */
#ifndef RF_CLI_MANUAL_H
#define RF_CLI_MANUAL_H

#include "cli/options.h"
#include <stdio.h>

/* commands: NULL at the end. */
void rf_manual_program(FILE *stream, const rf_command *const *commands);
void rf_manual_command(FILE *stream, const rf_command *command);
void rf_manual_config(FILE *stream);

#endif
