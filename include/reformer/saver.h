/* The checkpoints of a run while it trains: RUN/checkpoints/step-NNNNNNNN, written beside the training.
 *
 *   training   step k | begin: check, copy | step k+1 | poll | step k+2 | poll: all are done | step k+3 | poll: saved
 *   writers                                | shards to disk, fsync .....|                    | COMMIT, name |
 *
 * A write that fails ends nothing: it is said, older checkpoints stay as they are, and the next one is tried. What is
 * returned besides RF_OK is the failure of the mesh. */
#ifndef REFORMER_SAVER_H
#define REFORMER_SAVER_H

#include "reformer/checkpoint.h"
#include "reformer/config.h"
#include "reformer/linkage.h"
#include <stdbool.h>
#include <stddef.h>

RF_API_BEGIN

struct rf_lock;
struct rf_mesh;
typedef struct rf_saver rf_saver;

typedef struct rf_saver_options {
  const char *folder;   /* RUN/checkpoints; made when the first one is saved */
  struct rf_lock *lock; /* lent; rank 0's, of the run folder; NULL elsewhere. NULL on rank 0: nobody is kept out */
  rf_checkpoint_config config;
  int64_t resumed_step; /* the checkpoint that this run started from, which stays; -1: none */
} rf_saver_options;

/* Called by all ranks. Removes what other attempts left half written, where it has the lock. mesh, layout, state: lent,
 * outlive the saver; the state's values are read in begin. Where config.async is false, or a rank has no memory for the
 * copy, begin returns when all is written. */
rf_status rf_saver_create(const rf_saver_options *options, struct rf_mesh *mesh, const rf_layout *layout,
                          const rf_state *state, rf_saver **saver);
/* After finish, unless the mesh failed: then the writer is stopped and what is under way left to the next attempt. */
void rf_saver_destroy(rf_saver *saver);
bool rf_saver_is_valid(const rf_saver *saver);
size_t rf_saver_memory_used(const rf_saver *saver); /* the copy of the state */

/* Saves the state as of header->step; where one is being written already, that one is finished first. Returns as soon
 * as the state may change. header->eval_loss decides which one is the best. A state that is not finite is not saved. */
rf_status rf_saver_begin(rf_saver *saver, const rf_checkpoint_header *header);
/* At the end of every step: goes on once all ranks have written, and again once rank 0 has given the name; removes what
 * need not stay. One number a rank travels. */
rf_status rf_saver_poll(rf_saver *saver);
/* Waits for what is under way, and commits it. */
rf_status rf_saver_finish(rf_saver *saver);

typedef struct rf_saver_report {
  int64_t saved_step;     /* newest that was committed by this run; -1: none */
  bool failed;            /* the newest attempt could not be saved */
  double stall_seconds;   /* that training stood still for the newest one, on this rank */
  double write_seconds;   /* from its begin to its commit */
  double longest_seconds; /* of all writes of this run: what must be left when time runs out */
  int64_t bytes;          /* of all its files */
} rf_saver_report;
rf_saver_report rf_saver_report_of(const rf_saver *saver);

RF_API_END

#endif
