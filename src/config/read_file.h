/* A configuration out of a file (config/read_text.h), for a run that goes on: it must know what was given. */
#ifndef RF_CONFIG_READ_FILE_H
#define RF_CONFIG_READ_FILE_H

#include "config/origin.h"
#include "reformer/error.h"
#include "reformer/mesh.h"

/* Called by all ranks of a mesh, with the same `sets`: rank 0 reads the file, all parse its bytes, and they agree.
 * mesh NULL: this process alone. */
rf_status rf_config_read(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config,
                         rf_origin *origin);

#endif
