/* A configuration out of a text: what it says of each key, and where. What is `auto` stays so, and nothing is checked
 * that spans several keys (config/settle.h). */
#ifndef RF_CONFIG_READ_TEXT_H
#define RF_CONFIG_READ_TEXT_H

#include "config/origin.h"
#include "reformer/error.h"

/* Defaults, then the text, then each "key.path=value" of `sets` (its value is YAML). `file` is for messages.
 * RF_BAD_CONFIG: the message names file, line, key, what was found and what is allowed. */
rf_status rf_config_read_text(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                              rf_config *config, rf_origin *origin);

/* The default of every key; keys without one are 0. */
rf_status rf_config_defaults(rf_config *config);

#endif
