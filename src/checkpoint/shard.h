/* A shard: the file of one rank. HDF5 lays it out, in memory; that and the numbers are written front to back.
 *
 *   | HDF5's own | KIND/BLOCK: numbers ........ | KIND/BLOCK ... | KIND/TENSOR .. |
 *                ^ at                                              contiguous data sets of one axis, in file order */
#ifndef RF_CHECKPOINT_SHARD_H
#define RF_CHECKPOINT_SHARD_H

#include "checkpoint/file_digest.h"
#include "reformer/config.h"
#include "reformer/state.h"

enum { RF_MAX_KIND = 48, RF_MAX_LINK = RF_MAX_KIND + RF_MAX_NAME + 1 };

/* What the manifest knows of a part of an array: which shard holds which elements, and at which byte. */
typedef struct rf_segment {
  char kind[RF_MAX_KIND];
  int64_t block, tensor, total, first, count; /* as in rf_state_array */
  int64_t shard, at;
} rf_segment;

/* A shard that has been laid out. */
typedef struct rf_shard_file {
  char path[RF_MAX_PATH];
  rf_memory_file layout; /* the file as HDF5 wants it, without the numbers; owned */
  int n;
  rf_segment *segments;  /* [n] in the order of the state, owned */
  rf_extent *extents;    /* [n] where their numbers are in memory, by their place in the file; owned */
  rf_file_digest digest; /* what COMMIT wants to know, once it is written; owned */
} rf_shard_file;

void rf_shard_name(int rank, int ranks, char name[RF_MAX_FILE_NAME]);

/* The data set of an array, "KIND/BLOCK" or "KIND/TENSOR", in every shard. */
void rf_segment_link(const rf_layout *layout, const char *kind, int64_t block, int64_t tensor, char link[RF_MAX_LINK]);

/* Arrays that are empty on a rank, or that rank 0 saves for all, are left out of its shard. */
bool rf_shard_holds(const rf_state_array *array, int rank);

/* Lays out the shard of a rank that will be in the folder. The state's numbers are lent until they are written. On
 * failure nothing is to be freed. */
rf_status rf_shard_lay_out(const char *folder, int rank, int ranks, const rf_layout *layout, const rf_state *state,
                           rf_shard_file *shard);
/* Makes the file and syncs it. Calls neither HDF5 nor MPI. stop: of rf_file_digest_write. */
rf_status rf_shard_write(rf_shard_file *shard, const atomic_bool *stop);
void rf_shard_file_free(rf_shard_file *shard);

#endif
