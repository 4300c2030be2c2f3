/* What COMMIT knows of a file: its size, and a hash of every block of it.
 *
 *   file      |= block 0 ==|= block 1 ==|= .. =|= last =|     blocks of `digest_block_bytes`, the last as long as it is
 *   hashes    [0]          [1]                 [n - 1]        XXH64, seed 0
 *
 * A block is written from memory and hashed from memory, so that a hash tells what was meant, not what arrived. */
#ifndef RF_CHECKPOINT_FILE_DIGEST_H
#define RF_CHECKPOINT_FILE_DIGEST_H

#include "reformer/error.h"
#include "storage/memory_file.h"
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum { RF_DIGEST_BLOCK_BYTES = 4 << 20, RF_MAX_FILE_NAME = 64 };

typedef struct rf_file_digest {
  char name[RF_MAX_FILE_NAME];
  int64_t size;
  int64_t n_hashes;
  uint64_t *hashes; /* [n_hashes], owned */
} rf_file_digest;

void rf_file_digest_free(rf_file_digest *digest);

/* Blocks of a file of so many bytes, and the bytes of one of them. */
static inline int64_t rf_digest_blocks(int64_t size, int64_t digest_block_bytes) {
  return size / digest_block_bytes + (size % digest_block_bytes != 0);
}
static inline int64_t rf_digest_block_size(const rf_file_digest *digest, int64_t digest_block_bytes, int64_t block) {
  const int64_t rest = digest->size - block * digest_block_bytes;
  return rest < digest_block_bytes ? rest : digest_block_bytes;
}

/* Bytes [offset, offset + bytes) of a file, from memory. */
typedef struct rf_extent {
  int64_t offset, bytes;
  const void *data;
} rf_extent;

/* Writes a new file and syncs it: the bytes of `layout`, and over them the extents (in order of offset, not
 * overlapping), front to back, with the hashes of all its blocks. Needs no HDF5 and no MPI. stop (may be NULL): once it
 * is set, from another thread, this fails at the next block. digest->name must be set; the rest is filled in. */
rf_status rf_file_digest_write(const char *path, const rf_memory_file *layout, int n_extents, const rf_extent *extents,
                               const atomic_bool *stop, rf_file_digest *digest);

#endif
