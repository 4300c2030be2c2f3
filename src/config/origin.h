/* Where each value of a configuration came from, so that a message found later can still name the place. */
#ifndef RF_CONFIG_ORIGIN_H
#define RF_CONFIG_ORIGIN_H

#include "config/schema.h"

typedef struct rf_origin {
  const char *file;      /* lent */
  int line[RF_MAX_KEYS]; /* of the key in the file; 0: default, RF_LINE_SET: --set, RF_LINE_FILLED: a struct's field */
} rf_origin;

enum { RF_LINE_SET = -1, RF_LINE_FILLED = -2, RF_MAX_PLACE = RF_MAX_PATH + 128 };

/* "FILE:LINE: KEY", "--set KEY", or "FILE: KEY (not given)", "FILE: KEY" into place, RF_MAX_PLACE bytes, which is
 * returned. */
const char *rf_origin_place(const rf_origin *origin, const char *path, char *place);

#endif
