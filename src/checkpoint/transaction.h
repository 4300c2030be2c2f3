/* One checkpoint on its way to the disk: the protocol, as a machine of three states that all ranks go through together.
 *
 *            begin: attempt, FOLDER.tmp-ATTEMPT, every rank lays out its shard
 *   idle ------------------------------------------------------------------> shards
 *    ^ ^ ^                                                                     |
 *    | | '-- a rank failed before it wrote            writers: numbers, fsync  |
 *    | |                                                                       |
 *    | '---- a rank failed; FOLDER.tmp-ATTEMPT is removed ---------------------+ all ranks are done: digests
 *    |                                                                         | to rank 0, who makes the
 *    |                                                                         | manifest
 *    '-------------------------------------------------------------------- commit
 *      rank 0's writer: sizes, COMMIT, fsync, lock, name, fsync of the parent folder
 *
 * Killed at any point, FOLDER is what it was before or the new one. HDF5 and MPI are called by begin, poll and finish,
 * never by the writers. */
#ifndef RF_CHECKPOINT_TRANSACTION_H
#define RF_CHECKPOINT_TRANSACTION_H

#include "checkpoint/collect.h"
#include "checkpoint/commit.h"
#include "comm/survey.h"
#include "reformer/checkpoint_info.h"
#include "storage/lock.h"
#include "storage/writer.h"

typedef enum rf_transaction_stage {
  RF_TRANSACTION_IDLE,
  RF_TRANSACTION_SHARDS,
  RF_TRANSACTION_COMMIT
} rf_transaction_stage;

typedef struct rf_transaction_request {
  const char *folder; /* that the checkpoint shall be */
  struct rf_mesh *mesh;
  const rf_checkpoint_header *header; /* lent until idle */
  const rf_layout *layout;            /* lent until idle */
  const rf_state *state;              /* its numbers, lent until idle */
  const rf_lock *lock;                /* rank 0's, must hold at begin and when the name is given; NULL: anybody may */
  bool replaces; /* a checkpoint of that name, and refuses what is none; else whatever bears the name is kept aside */
  bool aside;    /* the writers have threads of their own */
} rf_transaction_request;

/* All zero: idle. Must stay where it is. */
typedef struct rf_transaction {
  rf_transaction_stage stage;
  rf_transaction_request request;
  char folder[RF_MAX_PATH], temporary[RF_MAX_PATH], former[RF_MAX_PATH]; /* former: of what bore the name */
  char attempt[RF_ATTEMPT_LENGTH + 1];
  bool made;               /* the temporary folder, by this rank */
  rf_shard_file shard;     /* the writer's in RF_TRANSACTION_SHARDS */
  rf_memory_file manifest; /* as shards */
  rf_collected shards;     /* rank 0's; the writer's in RF_TRANSACTION_COMMIT */
  rf_writer writer;
  atomic_bool stop;     /* set from the main thread: the writer gives up */
  rf_finding finding;   /* idle again: whether it was saved, and if not, why */
  int64_t bytes;        /* of all its files; rank 0, when it was saved */
  double named_seconds; /* clock, when it got its name; rank 0 */
} rf_transaction;

/* All of these: by all ranks. What they return besides RF_OK is the failure of the mesh; whether the checkpoint was
 * saved is in transaction->finding once the stage is idle again.
 *
 * own: what the caller has found so far on this rank; nothing is made unless it is RF_OK on all. */
rf_status rf_transaction_begin(rf_transaction *transaction, const rf_transaction_request *request, rf_status own);
/* Goes on to the next stage if all ranks' writers are done. One number a rank travels; none where idle. */
rf_status rf_transaction_poll(rf_transaction *transaction);
/* Waits until idle. */
rf_status rf_transaction_finish(rf_transaction *transaction);
/* By one rank, when the mesh has failed: stops the writer and leaves what there is to the next attempt. */
void rf_transaction_abandon(rf_transaction *transaction);

#endif
