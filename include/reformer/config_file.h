/* A configuration in, and out again: YAML (JSON is YAML) checked against the schema, and the resolved values as YAML.
 * docs/configuration.md tells the language, reformer help config every key. */
#ifndef REFORMER_CONFIG_FILE_H
#define REFORMER_CONFIG_FILE_H

#include "reformer/config.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/mesh.h"
#include <stddef.h>

RF_API_BEGIN

/* Defaults, then the file, then each "key.path=value" of `sets` (its value is YAML; "key.path?=value" leaves what was
 * given already), with what is `auto` resolved, and checked. Collective, with the same `sets`: rank 0 reads the file,
 * whatever it is, and all have its bytes. mesh NULL: this process alone. RF_BAD_CONFIG, on all ranks: the message names
 * file, line, key, what was found and what is allowed. What looks odd but works is warned about.
 * RF_BAD_CONFIG also where the processor lacks instructions that this library was compiled for. */
rf_status rf_config_load(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config);

/* The same from memory, not collective. text: `length` bytes; `file` is for messages. */
rf_status rf_config_parse(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                          rf_config *config);

/* Every key with its value, as YAML that rf_config_parse reads back to the same configuration. Free *text. */
rf_status rf_config_emit(const rf_config *config, char **text);

RF_API_END

#endif
