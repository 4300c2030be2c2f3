/* What only tests ask of comm/. */
#ifndef RF_COMM_TEST_HOOKS_H
#define RF_COMM_TEST_HOOKS_H

#include "reformer/mesh_view.h"
#include <stdint.h>

/* Messages of more bytes are cut; at most 2^30, the value at the start. Same on all ranks, with nothing under way. */
void rf_mesh_set_most_bytes(rf_mesh *mesh, int64_t bytes);

#endif
