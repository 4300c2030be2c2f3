/* What was given where a checkpoint's folder or a configuration belongs, for a message that says what to give instead.
 */
#ifndef RF_CHECKPOINT_ASTRAY_H
#define RF_CHECKPOINT_ASTRAY_H

#include "reformer/config.h"
#include "reformer/error.h"

enum { RF_MAX_ADVICE = RF_MAX_PATH + 256 };

/* Where no checkpoint could be opened: status, with "it is a run's folder, whose newest checkpoint is PATH" and the
 * like as the message; the present one stays where there is nothing of that kind to say. */
rf_status rf_astray_refuse(const char *path, rf_status status);

/* The same for a folder where a configuration was to be read, into advice, RF_MAX_ADVICE bytes, which is returned;
 * NULL where there is nothing to say. */
const char *rf_astray_config_advice(const char *folder, char *advice);

#endif
