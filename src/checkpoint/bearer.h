/* What bears the name already that a checkpoint is to be given. */
#ifndef RF_CHECKPOINT_BEARER_H
#define RF_CHECKPOINT_BEARER_H

#include "reformer/error.h"

typedef enum rf_bearer {
  RF_BEARER_NONE,       /* nothing, or an empty folder */
  RF_BEARER_CHECKPOINT, /* one whose COMMIT is whole, with all files at their sizes and no others */
  RF_BEARER_DAMAGED     /* a checkpoint's files and no others, but not such a one; or a newer reformer's */
} rf_bearer;

/* RF_BAD_CONFIG where it is no folder, or one that holds what is none of a checkpoint's files: it may be anything.
 * Looks at COMMIT and at names and sizes, not into the other files. */
rf_status rf_bearer_find(const char *folder, rf_bearer *bearer);

/* RF_BAD_CONFIG where a folder on the way to `folder` is a checkpoint, which holds what its COMMIT lists and no more.
 */
rf_status rf_bearer_check_parents(const char *folder);
/* As check_folder of rf_output_kind (storage/output.h): refuses a file in the folder of a checkpoint. */
rf_status rf_bearer_check_file(const char *path, const char *folder);

#endif
