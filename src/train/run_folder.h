/* A run's folder: config.yaml (as resolved), metrics.jsonl, log.txt.
 *
 * One run, one folder: a folder that holds a run already is refused, so that no two runs mix. */
#ifndef RF_TRAIN_RUN_FOLDER_H
#define RF_TRAIN_RUN_FOLDER_H

#include "reformer/error.h"
#include <stddef.h>

/* Makes `wanted` (it may exist, but hold no run), or, where that is NULL, the first free runs/NAME-1, runs/NAME-2, ...
 * with NAME from the configuration's file name. The folder's path goes to `folder`, and config_text to its config.yaml.
 * RF_BAD_CONFIG where the folder cannot be made or written to. */
rf_status rf_run_folder_create(const char *wanted, const char *config_file, const char *config_text, char *folder,
                               size_t size);

/* "FOLDER/NAME" into path. RF_BAD_CONFIG where it does not fit. */
rf_status rf_run_folder_path(const char *folder, const char *name, char *path, size_t size);

#endif
