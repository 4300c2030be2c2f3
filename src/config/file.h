/* A configuration in, and out again: YAML checked against the schema, and the resolved values as YAML. */
#ifndef RF_CONFIG_FILE_H
#define RF_CONFIG_FILE_H

#include "config/schema.h"
#include "comm/mesh.h"
#include "reformer/config.h"
#include "reformer/error.h"

/* Where each value came from, so that a message found later can still name the place. */
typedef struct rf_origin {
  const char *file;      /* lent */
  int line[RF_MAX_KEYS]; /* of the key in the file; 0: default, RF_LINE_SET: --set */
} rf_origin;

enum { RF_LINE_SET = -1, RF_MAX_PLACE = RF_MAX_PATH + 128 };

/* "FILE:LINE: KEY", "--set KEY", or "FILE: KEY (not given)" into place, RF_MAX_PLACE bytes, which is returned. */
const char *rf_origin_place(const rf_origin *origin, const char *path, char *place);

/* Defaults, then the file, then each "key.path=value" of `sets` (its value is YAML). What is `auto` stays so, and
 * nothing is checked that spans several keys: rf_config_settle (config/check.h) does. RF_BAD_CONFIG: the message
 * names file, line, key, what was found and what is allowed. By all ranks of a mesh, with the same `sets`: rank 0 reads
 * the file, all parse its bytes, and they agree. mesh NULL: this process alone. */
rf_status rf_config_read(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config,
                         rf_origin *origin);

/* The same from memory; `file` is for messages. */
rf_status rf_config_read_text(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                              rf_config *config, rf_origin *origin);

/* rf_config_read, then rf_config_settle. What looks odd but works is warned about. */
rf_status rf_config_load(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config);

/* The same from memory. */
rf_status rf_config_parse(const char *file, const char *text, size_t length, const char *const *sets, int n_sets,
                          rf_config *config);

/* The default of every key; keys without one are 0. */
rf_status rf_config_defaults(rf_config *config);

/* Every key with its value, as YAML that rf_config_parse reads back to the same configuration. Free *text. */
rf_status rf_config_emit(const rf_config *config, char **text);

#endif
