/* Configurations that no file was read for: structs that a program has filled in, or has changed after reading. */
#ifndef RF_CONFIG_FILLED_H
#define RF_CONFIG_FILLED_H

#include "comm/mesh.h"
#include "config/schema.h"
#include "reformer/config.h"

/* RF_BAD_CONFIG where a field holds what its key cannot have: "NAME: KEY: found ..., allowed: ...". Nothing else may be
 * asked of such a struct. Values that do not fit each other are rf_config_settle_filled's (config/settle.h). */
rf_status rf_config_check_ranges(const char *name, const rf_config *config);

/* How a struct says `auto`, as the end of a message; "" where the key has none. */
const char *rf_config_automatic(const rf_key *key);

/* Called by all ranks, which do not agree, with structs in range: RF_BAD_CONFIG on a rank whose configuration is not
 * rank 0's: the message says in which key. But for data.path: hosts may have the same file in different places, and its
 * bytes are compared (train/inputs.h). */
rf_status rf_config_compare(rf_mesh *mesh, const rf_config *config);

#endif
