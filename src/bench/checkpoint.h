/* What a checkpoint costs on this machine and disk. */
#ifndef RF_BENCH_CHECKPOINT_H
#define RF_BENCH_CHECKPOINT_H

#include "comm/mesh.h"
#include "reformer/config.h"
#include "reformer/error.h"

typedef struct rf_bench_checkpoint_options {
  int64_t repeats;       /* of which medians are taken */
  const char *folder;    /* on the disk that is asked about; a folder of its own is made in it, and removed */
  const char *json_path; /* NULL: none */
} rf_bench_checkpoint_options;

/* Times, turn by turn, for the state of the configuration's model and optimizer: a plain file a rank of the same bytes,
 * written front to back and synced; a checkpoint while all wait; a memcpy of the state by all threads; a checkpoint
 * beside a training that polls, and how long that stood still; both files read back. Prints a table on standard
 * output; collective over all ranks. */
rf_status rf_bench_checkpoint(const rf_config *config, rf_mesh *mesh, const rf_bench_checkpoint_options *options);

#endif
