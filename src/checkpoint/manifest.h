/* manifest.h5: what the shards hold and where. It is read as plain bytes, checked, and opened in memory: HDF5 never
 * reads it from the disk.
 *
 *   attributes         format, version, step, seed, ranks, mesh_sequence, mesh_data, real_bytes, eval_loss (NaN: none)
 *   data_bytes, data_samples    attributes too, where there is a file of data: its size, and 64 hashes
 *   config             text
 *   blocks             table: name, size (numbers, padding included)
 *   tensors            table: name, block, offset (in the block's flat vector), n_dims, shape[3]
 *   segments           table: kind, block, tensor, total, first, count, shard, at (byte of the shard)
 *   parameters/NAME, optimizer/first/NAME ...     virtual data sets over the shards, NaN where a shard is missing */
#ifndef RF_CHECKPOINT_MANIFEST_H
#define RF_CHECKPOINT_MANIFEST_H

#include "checkpoint/commit.h"
#include "checkpoint/shard.h"
#include "reformer/checkpoint_info.h"

#define RF_MANIFEST_NAME "manifest.h5"
#define RF_MANIFEST_MOST_BYTES ((int64_t)1 << 32)

typedef struct rf_manifest {
  rf_checkpoint_header header; /* header.config owned */
  int ranks, real_bytes;
  rf_layout layout; /* owned */
  int64_t n_segments;
  rf_segment *segments; /* owned */
} rf_manifest;

void rf_manifest_free(rf_manifest *manifest);

/* Makes the manifest in memory; close it. layout and segments are lent. */
rf_status rf_manifest_make(const rf_checkpoint_header *header, int ranks, const rf_layout *layout, int64_t n_segments,
                           const rf_segment *segments, rf_memory_file *memory);
/* Writes it into the folder and syncs it, without HDF5. digest: free it. */
rf_status rf_manifest_write(const char *folder, const rf_memory_file *memory, rf_file_digest *digest);

/* From the bytes of a manifest that matched its hashes. Every number in it is still checked against the others and
 * against the sizes of the files in `commit`: RF_BAD_DATA. `where` is for messages. */
rf_status rf_manifest_parse(const char *where, const void *bytes, int64_t size, const rf_commit *commit,
                            rf_manifest *manifest);

/* Adds virtual data sets of every tensor to the manifest file (an HDF5 handle). */
rf_status rf_manifest_add_views(int64_t file, int ranks, const rf_layout *layout, int64_t n_segments,
                                const rf_segment *segments);

#endif
