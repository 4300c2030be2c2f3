/* How a configuration is read (reformer/config_file.h), in steps: a run that goes on must know what was given. */
#ifndef RF_CONFIG_FILE_H
#define RF_CONFIG_FILE_H

#include "config/schema.h"
#include "reformer/config_file.h"

/* Where each value came from, so that a message found later can still name the place. */
typedef struct rf_origin {
  const char *file;      /* lent */
  int line[RF_MAX_KEYS]; /* of the key in the file; 0: default, RF_LINE_SET: --set, RF_LINE_FILLED: a struct's field */
} rf_origin;

enum { RF_LINE_SET = -1, RF_LINE_FILLED = -2, RF_MAX_PLACE = RF_MAX_PATH + 128 };

/* "FILE:LINE: KEY", "--set KEY", or "FILE: KEY (not given)", "FILE: KEY" into place, RF_MAX_PLACE bytes, which is
 * returned. */
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

/* The default of every key; keys without one are 0. */
rf_status rf_config_defaults(rf_config *config);

#endif
