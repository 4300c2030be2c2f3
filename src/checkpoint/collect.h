/* What every rank wrote comes to rank 0, who tells it to the manifest and to COMMIT.
 *
 *   rank r  --> rank 0:   | hashes of its file ..... | segments of its file ..... |
 *
 * One message a rank; their sizes are told first. */
#ifndef RF_CHECKPOINT_COLLECT_H
#define RF_CHECKPOINT_COLLECT_H

#include "checkpoint/shard.h"

typedef struct rf_collected {
  int n_files;
  rf_file_digest *files; /* [n_files] of the ranks in order, owned */
  int64_t n_segments;
  rf_segment *segments; /* [n_segments] rank after rank, owned */
} rf_collected;

/* Called by all ranks of the mesh, each with what rf_shard_write gave it. *collected is filled on rank 0 and empty on
 * the others. RF_FAILED for memory, or another rank's failure. mesh NULL: alone. */
rf_status rf_collect(struct rf_mesh *mesh, const rf_file_digest *own, int n_segments, const rf_segment *segments,
                     rf_collected *collected);
void rf_collected_free(rf_collected *collected);

#endif
