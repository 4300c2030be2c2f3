#include "checkpoint/digest_reader.h"
#include "base/hash.h"
#include "base/plain_file.h"
#include "storage/files.h"
#include <stdlib.h>
#include <unistd.h>

rf_status rf_digest_reader_open(const char *folder, const rf_file_digest *digest, int64_t digest_block_bytes,
                                rf_digest_reader *reader) {
  int64_t size;
  *reader = (rf_digest_reader){.digest = digest, .digest_block_bytes = digest_block_bytes, .block = -1, .file = -1};
  RF_TRY(rf_path_join(folder, digest->name, reader->path));
  RF_TRY(rf_file_open(reader->path, &reader->file, &size));
  if (size == digest->size) {
    reader->buffer = malloc((size_t)digest_block_bytes);
    if (reader->buffer) return RF_OK;
    rf_digest_reader_close(reader);
    return rf_fail(RF_FAILED, "%s: out of memory: a block of %lld bytes", reader->path, (long long)digest_block_bytes);
  }
  rf_digest_reader_close(reader);
  return rf_fail(RF_BAD_DATA, "%s: damaged: it has %lld bytes, and had %lld when it was written", reader->path,
                 (long long)size, (long long)digest->size);
}

void rf_digest_reader_close(rf_digest_reader *reader) {
  if (reader->file >= 0) (void)close(reader->file);
  free(reader->buffer);
  reader->buffer = NULL;
  reader->file = -1;
}

rf_status rf_digest_reader_load(rf_digest_reader *reader, int64_t block, bool *matches) {
  const int64_t bytes = rf_digest_block_size(reader->digest, reader->digest_block_bytes, block);
  reader->block = -1;
  RF_TRY(rf_file_read(reader->file, reader->path, block * reader->digest_block_bytes, reader->buffer, bytes));
  *matches = rf_hash(reader->buffer, bytes) == reader->digest->hashes[block];
  if (*matches) reader->block = block;
  return RF_OK;
}
