/* The program behind main: from a command line to a status. */
#ifndef RF_CLI_PROGRAM_H
#define RF_CLI_PROGRAM_H

#include "reformer/error.h"

/* Starts MPI for the commands that run on several ranks, and for those alone. Prints help on standard output; errors
 * are left in rf_error_message(). */
rf_status rf_program_run(int argc, char **argv);

/* After a failure: where a launcher started several copies, starts MPI if that was not done, so that all of them end
 * together. */
void rf_program_meet(void);

#endif
