/* A shard: the file of one rank. HDF5 lays it out; the numbers are written past it, front to back, from memory.
 *
 *   | HDF5's own | KIND/BLOCK: numbers ........ | KIND/BLOCK ... | KIND/TENSOR .. |
 *                ^ at                                              contiguous data sets of one axis, in file order */
#ifndef RF_CHECKPOINT_SHARD_H
#define RF_CHECKPOINT_SHARD_H

#include "checkpoint/record.h"
#include "reformer/checkpoint.h"

enum { RF_MAX_KIND = 48, RF_MAX_LINK = RF_MAX_KIND + RF_MAX_NAME + 1 };

/* What the manifest knows of a part of an array: which shard holds which elements, and at which byte. */
typedef struct rf_segment {
  char kind[RF_MAX_KIND];
  int64_t block, tensor, total, first, count; /* as in rf_state_array */
  int64_t shard, at;
} rf_segment;

void rf_shard_name(int rank, int ranks, char name[RF_MAX_FILE_NAME]);

/* The data set of an array, "KIND/BLOCK" or "KIND/TENSOR", in every shard. */
void rf_segment_link(const rf_layout *layout, const char *kind, int64_t block, int64_t tensor, char link[RF_MAX_LINK]);

/* Writes the shard of a rank into the folder and syncs it. segments: [state->n_arrays], of which *n_segments are
 * filled: arrays that are empty here, or that rank 0 saves for all, are left out. record: what COMMIT wants to know;
 * free it. */
rf_status rf_shard_write(const char *folder, int rank, int ranks, const rf_layout *layout, const rf_state *state,
                         rf_record *record, int *n_segments, rf_segment *segments);

#endif
