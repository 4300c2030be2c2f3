/* The configuration of a run that goes on from a checkpoint.
 *
 *   model, lsh, local, full     the checkpoint's: they say what the parameters mean
 *   all others                  as given; what changes the numbers that the run computes is warned about */
#ifndef RF_CONFIG_RESUME_H
#define RF_CONFIG_RESUME_H

#include "config/origin.h"
#include "reformer/checkpoint_info.h"
#include "reformer/error.h"

/* given, origin: of rf_config_read. *config: settled. checkpoint: the path, for messages; info: of it. RF_BAD_DATA
 * where a value was given that is not the checkpoint's (`auto` is no such value), or another optimizer than the one
 * whose state it holds: the message names the key, both values and what to do. */
rf_status rf_config_resume(const rf_config *given, const rf_origin *origin, const char *checkpoint,
                           const rf_checkpoint_info *info, rf_config *config);

/* The same question for a settled configuration, none of whose values gives way. RF_BAD_DATA likewise. */
rf_status rf_config_check_checkpoint(const rf_config *config, const rf_checkpoint_info *info);

#endif
