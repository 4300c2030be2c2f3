#include "config/origin.h"
#include <assert.h>
#include <stdio.h>

const char *rf_origin_place(const rf_origin *origin, const char *path, char *place) {
  const int index = rf_key_index(path);
  assert(index >= 0);
  const int line = origin->line[index];
  if (line > 0)
    (void)snprintf(place, RF_MAX_PLACE, "%s:%d: %s", origin->file, line, path);
  else if (line == RF_LINE_SET)
    (void)snprintf(place, RF_MAX_PLACE, "--set %s", path);
  else
    (void)snprintf(place, RF_MAX_PLACE, "%s: %s%s", origin->file, path, line == RF_LINE_FILLED ? "" : " (not given)");
  return place;
}
