/* What --help prints, on standard output, and what other forms of it are made from (cli/manual.h, cli/completion.h). */
#ifndef RF_CLI_HELP_H
#define RF_CLI_HELP_H

#include "cli/options.h"
#include <stdio.h>

extern const char rf_help_about[], rf_help_notes[]; /* of the program: one sentence; lines */
extern const char rf_help_keys[];                   /* lines on the keys of the configuration */
extern const rf_option rf_help_options[];           /* of the program itself */

typedef struct rf_exit_status {
  rf_status status;
  const char *meaning; /* NULL ends a table */
} rf_exit_status;
extern const rf_exit_status rf_exit_statuses[];

/* commands: NULL at the end. */
void rf_help_program(FILE *stream, const rf_command *const *commands);
void rf_help_command(FILE *stream, const rf_command *command);
/* Every configuration key with default, what is allowed, and help; as a Markdown table where asked. */
void rf_help_config(FILE *stream, bool markdown);

#endif
