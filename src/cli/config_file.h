/* A configuration in, and out again: YAML checked against the schema, and the resolved values as YAML. */
#ifndef RF_CLI_CONFIG_FILE_H
#define RF_CLI_CONFIG_FILE_H

#include "cli/schema.h"
#include "reformer/config.h"
#include "reformer/error.h"

/* Where each value came from, so that a message found later can still name the place. */
typedef struct rf_origin {
  const char *file;      /* lent */
  int line[RF_MAX_KEYS]; /* of the key in the file; 0: default, RF_LINE_SET: --set */
} rf_origin;

enum { RF_LINE_SET = -1 };

/* Defaults, then the file, then each "key.path=value" of `sets` (its value is YAML), then the checks that span several
 * keys; whatever is `auto` and can be resolved is. RF_BAD_CONFIG: the message names file, line, key, what was found
 * and what is allowed. What looks odd but works is warned about. */
rf_status rf_config_load(const char *file, const char *const *sets, int n_sets, rf_config *config);

/* The same from memory; `file` is for messages. */
rf_status rf_config_parse(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                          rf_config *config);

/* The default of every key; keys without one are 0. */
rf_status rf_config_defaults(rf_config *config);

/* Every key with its value, as YAML that rf_config_parse reads back to the same configuration. Free *text. */
rf_status rf_config_emit(const rf_config *config, char **text);

#endif
