/* A run's folder: config.yaml (as resolved), metrics.jsonl, log.txt, checkpoints/.
 *
 * One run, one folder, one job at a time: whoever opens the folder holds its lock, and a second job is refused. Rank 0
 * alone does all of this; whatever the system refuses is RF_BAD_CONFIG, as another folder helps. */
#ifndef RF_TRAIN_RUN_FOLDER_H
#define RF_TRAIN_RUN_FOLDER_H

#include "reformer/config.h"
#include "reformer/error.h"
#include "storage/lock.h"
#include <stdbool.h>
#include <stddef.h>

typedef struct rf_run_folder {
  char path[RF_MAX_PATH]; /* "": not made yet, and its name is still to be found */
  bool holds_run;         /* a configuration or checkpoints */
  bool made;              /* by this one */
  rf_lock *lock;          /* owned; NULL: the folder is not made yet */
} rf_run_folder;

/* Looks at `wanted` (NULL: the run gets a folder of its own) and locks it where it exists; nothing is made.
 * RF_BAD_CONFIG where another job holds the lock. */
rf_status rf_run_folder_open(const char *wanted, rf_run_folder *folder);

/* Makes the folder where it is not there yet, under the name it was opened with or, without one, as the first free
 * runs/NAME-1, runs/NAME-2, ... with NAME from the configuration's file name, and locks it. */
rf_status rf_run_folder_make(rf_run_folder *folder, const char *config_file);
/* Replaces config.yaml as a whole: from now on the folder, which is locked, holds a run. */
rf_status rf_run_folder_begin(const rf_run_folder *folder, const char *config_text);

/* Gives the lock back. A folder that was made and in which no run was begun goes. */
void rf_run_folder_close(rf_run_folder *folder);

/* "FOLDER/NAME" into path, RF_MAX_PATH bytes. RF_BAD_CONFIG where it does not fit. */
rf_status rf_run_folder_path(const char *folder, const char *name, char *path);

#endif
