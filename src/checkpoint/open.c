/* A checkpoint by its path, as a person gives it: where there is none, what there is instead. */
#include "checkpoint/astray.h"
#include "checkpoint/opened.h"
#include "reformer/checkpoint.h"
#include <assert.h>

rf_status rf_checkpoint_open(const char *folder, rf_checkpoint **checkpoint) {
  bool there;
  *checkpoint = NULL;
  if (!folder) return rf_fail(RF_BAD_DATA, "a checkpoint: found no folder (NULL)");
  const rf_status status = rf_opened_create(folder, checkpoint, &there);
  return there ? status : rf_astray_refuse(folder, status);
}

void rf_checkpoint_close(rf_checkpoint *checkpoint) { rf_opened_destroy(checkpoint); }

bool rf_checkpoint_is_valid(const rf_checkpoint *c) {
  return c && c->commit.n_files > c->manifest.ranks && c->manifest.layout.n_blocks > 0 &&
         (c->info.n_kinds > 0) == (c->manifest.n_segments > 0) && c->manifest.header.config;
}

const rf_checkpoint_info *rf_checkpoint_info_of(const rf_checkpoint *checkpoint) {
  assert(rf_checkpoint_is_valid(checkpoint));
  return &checkpoint->info;
}
