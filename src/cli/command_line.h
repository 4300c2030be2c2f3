/* A command line to be typed again. */
#ifndef RF_CLI_COMMAND_LINE_H
#define RF_CLI_COMMAND_LINE_H

#include "cli/options.h"

/* The command that goes on with a run: the program as it was called, with the same CONFIG and --set, in this folder,
 * and without --resume, under a launcher where it had several ranks; quoted for a shell. Free *text. RF_FAILED for
 * memory. */
rf_status rf_command_line(const rf_arguments *arguments, const char *folder, int ranks, char **text);

#endif
