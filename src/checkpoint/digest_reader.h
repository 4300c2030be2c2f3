/* A file of a checkpoint, read a hash block at a time, each checked before use. */
#ifndef RF_CHECKPOINT_DIGEST_READER_H
#define RF_CHECKPOINT_DIGEST_READER_H

#include "checkpoint/file_digest.h"
#include "reformer/config.h"

/* A file of the folder, and a window of one block over it. */
typedef struct rf_digest_reader {
  char path[RF_MAX_PATH];
  const rf_file_digest *digest;
  int64_t digest_block_bytes, block; /* in the buffer; -1: none */
  int file;
  char *buffer; /* [digest_block_bytes] */
} rf_digest_reader;

/* RF_BAD_DATA where the file is missing or its size is not what COMMIT says. digest: lent. */
rf_status rf_digest_reader_open(const char *folder, const rf_file_digest *digest, int64_t digest_block_bytes,
                                rf_digest_reader *reader);
void rf_digest_reader_close(rf_digest_reader *reader);
/* A block into the buffer. *matches: whether it has the hash that COMMIT says; only then may it be used. */
rf_status rf_digest_reader_load(rf_digest_reader *reader, int64_t block, bool *matches);

#endif
