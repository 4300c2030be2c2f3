#include "model/stash.h"
#include "base/text.h"
#include "nn/attention_saved.h"

static const char *const parts[RF_STASH_PARTS] = {[RF_STASH_OUTPUT] = "attention outputs",
                                                  [RF_STASH_SECOND_STREAM] = "second streams",
                                                  [RF_STASH_QUERIES] = "queries and values",
                                                  [RF_STASH_FIRST_STREAM] = "first streams",
                                                  [RF_STASH_HIDDEN] = "hidden activations"};

const char *rf_stash_describe(const rf_stash_summary *summary, char *buffer, size_t size) {
  buffer[0] = '\0';
  for (int part = 0; part < RF_STASH_PARTS; part++)
    if (summary->layers[part] > 0)
      rf_text_append(buffer, size, "%s%s of %lld", buffer[0] ? ", " : "", parts[part],
                     (long long)summary->layers[part]);
  if (!buffer[0]) rf_text_append(buffer, size, "nothing");
  return buffer;
}

rf_passes rf_passes_of_layer(const rf_config *config, rf_layer_stash stash) {
  const bool ordinary = config->model.residual == RF_RESIDUAL_ORDINARY;
  return (rf_passes){.project = stash.level[RF_BRANCH_ATTENTION] < RF_LEVEL_ROWS ? 4 : 3,
                     .attend = stash.level[RF_BRANCH_ATTENTION] < RF_LEVEL_OUTPUT ? 4 : 3,
                     .output = stash.stream[RF_BRANCH_ATTENTION] || ordinary ? 3 : 4,
                     /* a product each */
                     .feed_forward = 4 - (stash.level[RF_BRANCH_FEED_FORWARD] > 0 ? 0.5 : 0) -
                                     (stash.stream[RF_BRANCH_FEED_FORWARD] || ordinary ? 0.5 : 0)};
}
