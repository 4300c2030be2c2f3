/* What was given where a checkpoint's folder or a configuration belongs, for a message that says what to give instead.
 */
#ifndef RF_CHECKPOINT_ASTRAY_H
#define RF_CHECKPOINT_ASTRAY_H

#include "reformer/config.h"

enum { RF_MAX_ADVICE = RF_MAX_PATH + 256 };

/* "it is a run's folder, whose newest checkpoint is PATH" and the like into advice, RF_MAX_ADVICE bytes, which is
 * returned; NULL where there is nothing to say. path: where no checkpoint could be opened. */
const char *rf_astray_advice(const char *path, char *advice);

/* The same for a folder where a configuration was to be read. */
const char *rf_astray_config_advice(const char *folder, char *advice);

#endif
