/* COMMIT: the text that makes a folder a checkpoint.
 *
 *   reformer checkpoint
 *   version 1
 *   attempt 00b1946ac92492d2
 *   hash xxh64 4194304              hash function, bytes of a block
 *   file 8312 manifest.h5           size, name; then one line a block
 *   34d0a9be1f3c02d7
 *   file 9437184 shard-00000-of-00001.h5
 *   ...
 *   end 9b1c1cfe0a5d2f66            hash of every byte before this line
 *
 * The first two lines and the last are the same in every version. */
#ifndef RF_CHECKPOINT_COMMIT_H
#define RF_CHECKPOINT_COMMIT_H

#include "checkpoint/file_digest.h"
#include "storage/attempt.h"
#include "storage/files.h"

/* A folder with a file of this name is a checkpoint, and nothing else is written into it. */
#define RF_COMMIT_NAME "COMMIT"
#define RF_COMMIT_MOST_BYTES ((int64_t)1 << 28)

typedef struct rf_commit {
  char attempt[RF_ATTEMPT_LENGTH + 1];
  int64_t digest_block_bytes;
  int n_files;
  rf_file_digest *files; /* [n_files], owned */
} rf_commit;

void rf_commit_free(rf_commit *commit);

/* Free *text. */
rf_status rf_commit_emit(const rf_commit *commit, char **text, int64_t *length);

/* Trusts nothing: RF_BAD_DATA with the line where anything is out of place; `where` is for messages. On failure the
 * commit is empty. */
rf_status rf_commit_parse(const char *where, const char *text, int64_t length, rf_commit *commit);

/* NULL: no such file. */
const rf_file_digest *rf_commit_find(const rf_commit *commit, const char *name);

#endif
