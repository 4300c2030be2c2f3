#include "checkpoint/shard.h"
#include "base/h5.h"
#include "reformer/config.h"
#include "storage/files.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* HDF5's own part stays together in front; numbers start at multiples of this where there are many. */
enum { META_BLOCK = 1 << 16, ALIGNMENT = 4096, ALIGNED_ABOVE = 1 << 16 };

void rf_shard_name(int rank, int ranks, char name[RF_MAX_FILE_NAME]) {
  snprintf(name, RF_MAX_FILE_NAME, "shard-%05d-of-%05d.h5", rank, ranks);
}

void rf_segment_link(const rf_layout *layout, const char *kind, int64_t block, int64_t tensor, char link[RF_MAX_LINK]) {
  const rf_block *b = &layout->blocks[block];
  snprintf(link, RF_MAX_LINK, "%s/%s", kind, tensor < 0 ? b->name : b->tensors[tensor].name);
}

bool rf_shard_holds(const rf_state_array *array, int rank) {
  return array->count > 0 && (!array->replicated || rank == 0);
}

/* An empty data set whose place in the file is fixed at once; *at: its first byte. */
static rf_status lay_out_segments(hid_t file, const char *path, const char *link, const rf_segment *segment,
                                  int64_t *at) {
  rf_h5 h = {0};
  const hsize_t count = (hsize_t)segment->count, one = 1;
  const hid_t space = rf_h5_keep(&h, H5Screate_simple(1, &count, NULL));
  const hid_t links = rf_h5_keep(&h, H5Pcreate(H5P_LINK_CREATE));
  const hid_t how = rf_h5_in_place(&h);
  bool fine = space >= 0 && links >= 0 && how >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0;
  const hid_t set =
      fine ? rf_h5_keep(&h, H5Dcreate2(file, link, rf_h5_real(sizeof(real)), space, links, how, H5P_DEFAULT)) : -1;
  const hid_t number = set >= 0 ? rf_h5_keep(&h, H5Screate_simple(1, &one, NULL)) : -1;
  const hid_t first =
      number >= 0 ? rf_h5_keep(&h, H5Acreate2(set, "first", H5T_STD_I64LE, number, H5P_DEFAULT, H5P_DEFAULT)) : -1;
  fine = first >= 0 && H5Awrite(first, H5T_NATIVE_INT64, &segment->first) >= 0;
  const haddr_t place = fine ? H5Dget_offset(set) : HADDR_UNDEF;
  *at = (int64_t)place;
  fine = rf_h5_close(&h) && fine && place != HADDR_UNDEF;
  return fine ? RF_OK : rf_fail(RF_FAILED, "%s: HDF5 cannot lay out data set %s: %s", path, link, rf_h5_cause());
}

static rf_status lay_out_all(hid_t file, const char *path, const rf_layout *layout, int n, rf_segment *segments) {
  for (int i = 0; i < n; i++) {
    char link[RF_MAX_LINK];
    rf_segment_link(layout, segments[i].kind, segments[i].block, segments[i].tensor, link);
    RF_TRY(lay_out_segments(file, path, link, &segments[i], &segments[i].at));
  }
  return RF_OK;
}

static rf_status make_layout(rf_memory_file *memory, const char *path, const rf_layout *layout, int n,
                             rf_segment *segments) {
  rf_h5 h = {0};
  rf_h5_listen();
  const hid_t access = rf_h5_access(&h);
  if (access < 0 || H5Pset_meta_block_size(access, META_BLOCK) < 0 ||
      H5Pset_alignment(access, ALIGNED_ABOVE, ALIGNMENT) < 0) {
    rf_h5_close(&h);
    return rf_fail(RF_FAILED, "%s: HDF5 cannot be set up: %s", path, rf_h5_cause());
  }
  const hid_t file = rf_h5_keep(&h, H5Fcreate(memory->path, H5F_ACC_TRUNC, H5P_DEFAULT, access));
  rf_memory_file_hide(memory);
  const rf_status status = file >= 0
                               ? lay_out_all(file, path, layout, n, segments)
                               : rf_fail(RF_FAILED, "%s: HDF5 cannot make its file in memory: %s", path, rf_h5_cause());
  if (!rf_h5_close(&h) && status == RF_OK)
    return rf_fail(RF_FAILED, "%s: HDF5 cannot lay out the file: %s", path, rf_h5_cause());
  return status;
}

/* More than HDF5 will write: its own part. */
static int64_t most_written(const rf_shard_file *shard) { return 16 * META_BLOCK + shard->n * (int64_t)ALIGNMENT; }

/* More than HDF5 will ask for: the numbers too, each array at its place. */
static int64_t most_bytes(const rf_shard_file *shard) {
  int64_t bytes = most_written(shard);
  for (int i = 0; i < shard->n; i++) bytes += shard->extents[i].bytes + ALIGNMENT;
  return bytes;
}

static int by_offset(const void *a, const void *b) {
  const int64_t x = ((const rf_extent *)a)->offset, y = ((const rf_extent *)b)->offset;
  return (x > y) - (x < y);
}

/* What the state holds for this rank's shard; where it lies in the file is not known yet. */
static void list_arrays(const rf_state *state, int rank, rf_shard_file *shard) {
  for (int i = 0; i < state->n_arrays; i++) {
    const rf_state_array *a = &state->arrays[i];
    if (!rf_shard_holds(a, rank)) continue;
    rf_segment *segment = &shard->segments[shard->n];
    *segment = (rf_segment){
        .block = a->block, .tensor = a->tensor, .total = a->total, .first = a->first, .count = a->count, .shard = rank};
    snprintf(segment->kind, sizeof segment->kind, "%s", a->kind);
    shard->extents[shard->n++] = (rf_extent){.bytes = a->count * (int64_t)sizeof(real), .data = a->values};
  }
}

static rf_status lay_out_shard(const rf_layout *layout, const rf_state *state, int rank, rf_shard_file *shard) {
  shard->segments = calloc((size_t)state->n_arrays + 1, sizeof *shard->segments);
  shard->extents = calloc((size_t)state->n_arrays + 1, sizeof *shard->extents);
  if (!shard->segments || !shard->extents) return rf_fail(RF_FAILED, "%s: out of memory", shard->path);
  list_arrays(state, rank, shard);
  RF_TRY(rf_memory_file_create(shard->digest.name, most_bytes(shard), most_written(shard), &shard->layout));
  RF_TRY(make_layout(&shard->layout, shard->path, layout, shard->n, shard->segments));
  for (int i = 0; i < shard->n; i++) shard->extents[i].offset = shard->segments[i].at;
  qsort(shard->extents, (size_t)shard->n, sizeof *shard->extents, by_offset);
  return RF_OK;
}

rf_status rf_shard_lay_out(const char *folder, int rank, int ranks, const rf_layout *layout, const rf_state *state,
                           rf_shard_file *shard) {
  *shard = (rf_shard_file){0};
  rf_shard_name(rank, ranks, shard->digest.name);
  RF_TRY(rf_path_join(folder, shard->digest.name, shard->path));
  const rf_status status = lay_out_shard(layout, state, rank, shard);
  if (status != RF_OK) rf_shard_file_free(shard);
  return status;
}

rf_status rf_shard_write(rf_shard_file *shard, const atomic_bool *stop) {
  return rf_file_digest_write(shard->path, &shard->layout, shard->n, shard->extents, stop, &shard->digest);
}

void rf_shard_file_free(rf_shard_file *shard) {
  rf_file_digest_free(&shard->digest);
  rf_memory_file_close(&shard->layout);
  free(shard->segments);
  free(shard->extents);
  *shard = (rf_shard_file){0};
}
