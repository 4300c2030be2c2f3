/* The program behind main, which is all that is not in the library: from a command line to an exit status. */
#ifndef RF_CLI_PROGRAM_H
#define RF_CLI_PROGRAM_H

#include "reformer/linkage.h"

RF_API_BEGIN

/* Starts MPI for the commands whose ranks work together (cli/options.h); for the others only where one of several
 * copies has failed, so that all hear of it before any ends. Ranks need not agree before: some may be
 * another program, or have another command line. Prints help on standard output, errors on standard error. */
int rf_program_main(int argc, char **argv);

RF_API_END

#endif
