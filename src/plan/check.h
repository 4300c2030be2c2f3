/* Whether a run fits the memory of the hosts it is about to start on. */
#ifndef RF_PLAN_CHECK_H
#define RF_PLAN_CHECK_H

#include "comm/mesh.h"
#include "reformer/config.h"

/* RF_BAD_CONFIG, before anything large is taken, where a rank would need more than its part of what its host has free
 * (or its job may still take): the message names the longest sequence that fits. Collective over all ranks. */
rf_status rf_plan_check_memory(const rf_config *config, rf_mesh *mesh);

#endif
