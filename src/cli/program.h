/* The program behind main: from a command line to a status. */
#ifndef RF_CLI_PROGRAM_H
#define RF_CLI_PROGRAM_H

#include "reformer/error.h"

/* MPI has been started. Prints help on standard output; errors are left in rf_error_message(). */
rf_status rf_program_run(int argc, char **argv);

#endif
