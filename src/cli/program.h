/* The program behind main: from a command line to a status. */
#ifndef RF_CLI_PROGRAM_H
#define RF_CLI_PROGRAM_H

#include "comm/mesh.h"
#include "reformer/error.h"

/* Starts MPI for the commands that run on several ranks; for the others, which run alone or as one, only where
 * one of several copies has failed, so that all hear of it before any ends. *mesh: what was opened then, for the caller
 * to destroy, or NULL. Ranks need not agree before: some may be another program, or have another command line. Prints
 * help on standard output; errors are left in rf_error_message(). */
rf_status rf_program_run(int argc, char **argv, rf_mesh **mesh);

#endif
