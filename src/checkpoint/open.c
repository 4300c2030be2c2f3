/* A checkpoint by its path, as a person gives it: where there is none, what there is instead. */
#include "checkpoint/astray.h"
#include "checkpoint/opened.h"

rf_status rf_checkpoint_open(const char *folder, rf_checkpoint **checkpoint) {
  bool there;
  *checkpoint = NULL;
  if (!folder) return rf_fail(RF_BAD_DATA, "a checkpoint: found no folder (NULL)");
  const rf_status status = rf_opened_create(folder, checkpoint, &there);
  return there ? status : rf_astray_refuse(folder, status);
}
