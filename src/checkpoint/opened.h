/* What an open checkpoint is made of, and how its bytes are read: a block at a time, each checked before use. */
#ifndef RF_CHECKPOINT_OPENED_H
#define RF_CHECKPOINT_OPENED_H

#include "checkpoint/commit.h"
#include "checkpoint/manifest.h"
#include "reformer/config.h"

enum { RF_MAX_DAMAGE = 1024 + RF_MAX_PATH };

struct rf_checkpoint {
  char folder[RF_MAX_PATH];
  rf_commit commit;
  rf_manifest manifest;
  const char **kinds; /* [info.n_kinds] */
  rf_checkpoint_info info;
};

/* COMMIT of a folder, parsed. */
rf_status rf_opened_commit(const char *folder, rf_commit *commit);

/* A file of the folder, and a window of one block over it. */
typedef struct rf_block_reader {
  char path[RF_MAX_PATH];
  const rf_record *record;
  int64_t block_bytes, block; /* in the buffer; -1: none */
  int file;
  char *buffer; /* [block_bytes] */
} rf_block_reader;

/* RF_BAD_DATA where the file is missing or its size is not what COMMIT says. record: lent. */
rf_status rf_block_reader_open(const char *folder, const rf_record *record, int64_t block_bytes,
                               rf_block_reader *reader);
void rf_block_reader_close(rf_block_reader *reader);
/* A block into the buffer. *matches: whether it has the hash that COMMIT says; only then may it be used. */
rf_status rf_block_reader_load(rf_block_reader *reader, int64_t block, bool *matches);

/* "PATH: bytes A to B are damaged (parameters of NAME, ...)" into text, RF_MAX_DAMAGE bytes. manifest: NULL where it
 * cannot be read. */
const char *rf_damage_text(const char *path, const rf_record *record, const rf_manifest *manifest, int64_t from,
                           int64_t to, char *text);

#endif
