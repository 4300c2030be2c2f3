/* The catalog of the checkpoints in a run's folder, and the removal of those that need not stay. Rank 0's. */
#ifndef RF_CHECKPOINT_CATALOG_H
#define RF_CHECKPOINT_CATALOG_H

#include "checkpoint/retention.h"
#include "storage/lock.h"
#include "storage/writer.h"

typedef struct rf_catalog {
  const char *folder;  /* RUN/checkpoints, lent */
  const rf_lock *lock; /* lent; NULL: nobody is kept out */
  rf_checkpoint_config config;
  int64_t newest; /* step of the one that was written last by this run */
  int n, room;
  rf_retention_entry *entries; /* [n] owned; the pruner's while it is at work */
  rf_writer pruner;
  atomic_bool stop_checking; /* set from the main thread: no more checkpoints are checked byte by byte */
} rf_catalog;

/* The newest checkpoint of a folder that has its COMMIT, and is of the step that its name says: its path; false: there
 * is none. Changes the thread's message. */
bool rf_catalog_newest(const char *folder, char path[RF_MAX_PATH]);

/* Finds what is in the folder, if it exists. catalog: folder, lock and config are set; resumed_step: -1: none. Where
 * there is a lock, what other attempts left half written or half removed is removed first, and said; and a thread
 * begins to check and remove, as after a checkpoint was written: a run that is stopped again and again may never come
 * to it at its end. */
rf_status rf_catalog_fill(rf_catalog *catalog, int64_t resumed_step);
void rf_catalog_free(rf_catalog *catalog);

/* A checkpoint was written: removes those that may go, on a thread of its own where `aside` says so, and, where there
 * is a lock, what failed attempts at earlier ones could not remove. Older ones that would count are read through first,
 * at most once each. */
rf_status rf_catalog_add(rf_catalog *catalog, int64_t step, double eval_loss, bool aside);
/* Waits for the removal, and warns of what could not be removed. */
void rf_catalog_settle(rf_catalog *catalog);

#endif
