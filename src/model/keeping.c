#include "model/keeping.h"
#include "base/text.h"

static const char *const parts[RF_KEEPS] = {"attention outputs", "second streams", "queries and values",
                                            "first streams", "hidden activations"};

const char *rf_keeping_describe(const rf_keeping *keeping, char *buffer, size_t size) {
  buffer[0] = '\0';
  for (int part = 0; part < RF_KEEPS; part++)
    if (keeping->layers[part] > 0)
      rf_text_append(buffer, size, "%s%s of %lld", buffer[0] ? ", " : "", parts[part],
                     (long long)keeping->layers[part]);
  if (!buffer[0]) rf_text_append(buffer, size, "nothing");
  return buffer;
}
