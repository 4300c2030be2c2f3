/* An open checkpoint (rf_checkpoint of reformer/checkpoint.h), and how one is opened by whoever looks through many:
 * without a word on what else its folder may be (checkpoint/astray.h), which rf_checkpoint_open adds. */
#ifndef RF_CHECKPOINT_OPENED_H
#define RF_CHECKPOINT_OPENED_H

#include "checkpoint/commit.h"
#include "checkpoint/manifest.h"
#include "reformer/config.h"

struct rf_checkpoint {
  char folder[RF_MAX_PATH];
  rf_commit commit;
  rf_manifest manifest;
  const char **kinds; /* [info.n_kinds] */
  rf_checkpoint_info info;
};

/* COMMIT of a folder, parsed. RF_BAD_DATA with *there false: there is no COMMIT to be read. */
rf_status rf_opened_commit(const char *folder, rf_commit *commit, bool *there);
/* As rf_checkpoint_open. *there: likewise. */
rf_status rf_opened_create(const char *folder, struct rf_checkpoint **checkpoint, bool *there);
/* NULL is fine. */
void rf_opened_destroy(struct rf_checkpoint *checkpoint);

#endif
