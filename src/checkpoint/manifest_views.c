/* Virtual data sets: each tensor whole and in its own shape, made of the pieces that the shards hold.
 *
 *   shard 0   [......|aaaaaa]          flat           tensor   a a a a
 *   shard 1          [bbbb|cccccc..]   --------->              a a b b
 *                                                              b b c c ... */
#include "checkpoint/manifest.h"
#include "base/h5.h"
#include <math.h>
#include <stdio.h>
#include <string.h>

/* One view: its shape and the numbers of the array that it shows. */
typedef struct view {
  char link[RF_MAX_LINK];
  int n_dims;
  hsize_t shape[RF_MAX_DIMS];
  int64_t first, count; /* of the array */
} view;

/* The elements [from, ..) of the view that one hyperslab can take, at most up to `to`: as many whole slices as there
 * are at the outermost level where `from` is aligned. Returns how many elements. */
static int64_t select_run(const view *v, hid_t space, int64_t from, int64_t to) {
  hsize_t start[RF_MAX_DIMS], count[RF_MAX_DIMS];
  int64_t slice = 1, rest = from; /* elements of one step along axis d */
  int axis = v->n_dims - 1;
  while (axis > 0 && from % (slice * (int64_t)v->shape[axis]) == 0 && to - from >= slice * (int64_t)v->shape[axis])
    slice *= (int64_t)v->shape[axis--];
  for (int d = v->n_dims - 1; d >= 0; d--) {
    start[d] = (hsize_t)rest % v->shape[d];
    rest /= (int64_t)v->shape[d];
    count[d] = d > axis ? v->shape[d] : 1;
  }
  const int64_t left = (int64_t)(v->shape[axis] - start[axis]), wanted = (to - from) / slice;
  const int64_t steps = left < wanted ? left : wanted;
  count[axis] = (hsize_t)steps;
  return H5Sselect_hyperslab(space, H5S_SELECT_SET, start, NULL, count, NULL) >= 0 ? steps * slice : -1;
}

/* Maps what a segment holds of the view. */
static bool map_segment(const view *v, hid_t how, hid_t space, const rf_segment *segment, int ranks,
                        const char *source) {
  const int64_t end = segment->first + segment->count, view_end = v->first + v->count;
  const int64_t from = segment->first > v->first ? segment->first : v->first, to = end < view_end ? end : view_end;
  const hsize_t held = (hsize_t)segment->count;
  char shard[RF_MAX_FILE_NAME];
  rf_shard_name((int)segment->shard, ranks, shard);
  for (int64_t at = from; at < to;) {
    const int64_t n = select_run(v, space, at - v->first, to - v->first);
    if (n <= 0) return false;
    const hid_t flat = H5Screate_simple(1, &held, NULL);
    const hsize_t start = (hsize_t)(at - segment->first), count = (hsize_t)n;
    const bool fine = flat >= 0 && H5Sselect_hyperslab(flat, H5S_SELECT_SET, &start, NULL, &count, NULL) >= 0 &&
                      H5Pset_virtual(how, space, shard, source, flat) >= 0;
    if (flat >= 0) H5Sclose(flat);
    if (!fine) return false;
    at += n;
  }
  return true;
}

/* The segments of one array stand for all: those of its kind, block and tensor. */
static bool of_one_array(const rf_segment *a, const rf_segment *b) {
  return a->block == b->block && a->tensor == b->tensor && strcmp(a->kind, b->kind) == 0;
}

static rf_status add_view(hid_t file, const view *v, const rf_segment *array, const char *source, int ranks,
                          int64_t n_segments, const rf_segment *segments) {
  rf_h5 h = {0};
  const real missing = (real)NAN;
  const hid_t space = rf_h5_keep(&h, H5Screate_simple(v->n_dims, v->shape, NULL));
  const hid_t links = rf_h5_keep(&h, H5Pcreate(H5P_LINK_CREATE));
  const hid_t how = rf_h5_keep(&h, H5Pcreate(H5P_DATASET_CREATE));
  const hid_t native = sizeof(real) == 8 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT;
  bool fine = space >= 0 && links >= 0 && how >= 0 && H5Pset_create_intermediate_group(links, 1) >= 0 &&
              H5Pset_fill_value(how, native, &missing) >= 0 && H5Pset_obj_track_times(how, 0) >= 0;
  for (int64_t i = 0; fine && i < n_segments; i++)
    if (of_one_array(&segments[i], array)) fine = map_segment(v, how, space, &segments[i], ranks, source);
  fine = fine && H5Sselect_all(space) >= 0 &&
         rf_h5_keep(&h, H5Dcreate2(file, v->link, rf_h5_real(sizeof(real)), space, links, how, H5P_DEFAULT)) >= 0;
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : rf_fail(RF_FAILED, "%s: HDF5 cannot make the view %s", RF_MANIFEST_NAME, v->link);
}

/* An array along a block is shown tensor by tensor, padding left out; one of a tensor is shown as it is. */
static rf_status add_views_of(hid_t file, const rf_segment *array, int ranks, const rf_layout *layout,
                              int64_t n_segments, const rf_segment *segments) {
  const rf_block *block = &layout->blocks[array->block];
  char source[RF_MAX_LINK];
  rf_segment_link(layout, array->kind, array->block, array->tensor, source);
  if (array->tensor >= 0) {
    view v = {.n_dims = 1, .shape = {(hsize_t)array->total}, .count = array->total};
    strcpy(v.link, source);
    return add_view(file, &v, array, source, ranks, n_segments, segments);
  }
  for (int t = 0; t < block->n_tensors; t++) {
    const rf_tensor *tensor = &block->tensors[t];
    view v = {.n_dims = tensor->n_dims, .first = tensor->offset, .count = rf_tensor_count(tensor)};
    for (int d = 0; d < tensor->n_dims; d++) v.shape[d] = (hsize_t)tensor->shape[d];
    rf_segment_link(layout, array->kind, array->block, t, v.link);
    RF_TRY(add_view(file, &v, array, source, ranks, n_segments, segments));
  }
  return RF_OK;
}

rf_status rf_manifest_add_views(int64_t file, int ranks, const rf_layout *layout, int64_t n_segments,
                                const rf_segment *segments) {
  for (int64_t i = 0; i < n_segments; i++) {
    bool seen = false;
    for (int64_t j = 0; !seen && j < i; j++) seen = of_one_array(&segments[j], &segments[i]);
    if (!seen) RF_TRY(add_views_of(file, &segments[i], ranks, layout, n_segments, segments));
  }
  return RF_OK;
}
