/* Ranks are started by hand: by a launcher that may give each another program, or another command line. */
#ifndef RF_CLI_RANKS_H
#define RF_CLI_RANKS_H

#include "comm/mesh.h"

/* Called by all ranks, first of all: RF_BAD_CONFIG on a rank that runs another program (file, version or precision)
 * than rank 0, or has another command line. What else may differ, and moves last bits, is warned about. */
rf_status rf_ranks_compare(rf_mesh *mesh, int argc, char **argv);

#endif
