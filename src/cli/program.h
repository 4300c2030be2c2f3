/* The program behind main: from a command line to a status. */
#ifndef RF_CLI_PROGRAM_H
#define RF_CLI_PROGRAM_H

#include "comm/mesh.h"
#include "reformer/error.h"

/* Prints help on standard output; errors are left in rf_error_message(). mesh: lent, opened and not yet arranged. By
 * all of its ranks, who need not agree before: some of them may be another program, or have another command line. */
rf_status rf_program_run(int argc, char **argv, rf_mesh *mesh);

#endif
