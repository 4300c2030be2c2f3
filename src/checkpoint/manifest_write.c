#include "checkpoint/manifest.h"
#include "checkpoint/manifest_rows.h"
#include "reformer/config.h"
#include "storage/files.h"
#include <stdlib.h>
#include <string.h>

static rf_status fail_to_write(const char *what) {
  return rf_fail(RF_FAILED, "%s: HDF5 cannot write %s: %s", RF_MANIFEST_NAME, what, rf_h5_cause());
}

static rf_status write_number(hid_t file, const char *name, hid_t stored, hid_t native, const void *value) {
  rf_h5 h = {0};
  const hid_t space = rf_h5_keep(&h, H5Screate(H5S_SCALAR));
  const hid_t number =
      space >= 0 ? rf_h5_keep(&h, H5Acreate2(file, name, stored, space, H5P_DEFAULT, H5P_DEFAULT)) : -1;
  bool fine = number >= 0 && H5Awrite(number, native, value) >= 0;
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : fail_to_write(name);
}

static rf_status write_int(hid_t file, const char *name, int64_t value) {
  return write_number(file, name, H5T_STD_I64LE, H5T_NATIVE_INT64, &value);
}

static rf_status write_samples(hid_t file, const rf_data_identity *data) {
  rf_h5 h = {0};
  const hsize_t count = RF_SAMPLES;
  const hid_t space = rf_h5_keep(&h, H5Screate_simple(1, &count, NULL));
  const hid_t samples =
      space >= 0 ? rf_h5_keep(&h, H5Acreate2(file, "data_samples", H5T_STD_U64LE, space, H5P_DEFAULT, H5P_DEFAULT))
                 : -1;
  bool fine = samples >= 0 && H5Awrite(samples, H5T_NATIVE_UINT64, data->hash) >= 0;
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : fail_to_write("data_samples");
}

static rf_status write_data(hid_t file, const rf_data_identity *data) {
  if (data->bytes == 0) return RF_OK;
  RF_TRY(write_int(file, "data_bytes", data->bytes));
  return write_samples(file, data);
}

/* As an attribute of the file, or as a data set. */
static rf_status write_text(hid_t file, const char *name, const char *text, bool attribute) {
  rf_h5 h = {0};
  const size_t size = strlen(text) + 1;
  const hid_t type = rf_h5_keep(&h, H5Tcopy(H5T_C_S1)), space = rf_h5_keep(&h, H5Screate(H5S_SCALAR));
  bool fine = type >= 0 && space >= 0 && H5Tset_size(type, size) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0;
  if (fine && attribute) {
    const hid_t to = rf_h5_keep(&h, H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT));
    fine = to >= 0 && H5Awrite(to, type, text) >= 0;
  } else if (fine) {
    const hid_t to = rf_h5_keep(&h, H5Dcreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
    fine = to >= 0 && H5Dwrite(to, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, text) >= 0;
  }
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : fail_to_write(name);
}

static rf_status write_table(hid_t file, const char *name, const rf_column *columns, size_t row_size, int64_t rows,
                             const void *data) {
  rf_h5 h = {0};
  const hsize_t count = (hsize_t)rows;
  const hid_t type = rf_h5_keep(&h, rf_row_type(columns, row_size));
  const hid_t space = rf_h5_keep(&h, H5Screate_simple(1, &count, NULL));
  const hid_t how = rf_h5_keep(&h, H5Pcreate(H5P_DATASET_CREATE));
  bool fine = type >= 0 && space >= 0 && how >= 0 && H5Pset_obj_track_times(how, 0) >= 0;
  const hid_t set = fine ? rf_h5_keep(&h, H5Dcreate2(file, name, type, space, H5P_DEFAULT, how, H5P_DEFAULT)) : -1;
  fine = set >= 0 && (rows == 0 || H5Dwrite(set, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data) >= 0);
  fine = rf_h5_close(&h) && fine;
  return fine ? RF_OK : fail_to_write(name);
}

static rf_status write_layout(hid_t file, const rf_layout *layout) {
  int64_t n = 0;
  for (int b = 0; b < layout->n_blocks; b++) n += layout->blocks[b].n_tensors;
  rf_block_row *blocks = calloc((size_t)layout->n_blocks + 1, sizeof *blocks);
  rf_tensor_row *tensors = calloc((size_t)n + 1, sizeof *tensors), *next = tensors;
  rf_status status =
      blocks && tensors ? RF_OK : rf_fail(RF_FAILED, "out of memory: table of %lld tensors", (long long)n);
  for (int b = 0; status == RF_OK && b < layout->n_blocks; b++) {
    const rf_block *block = &layout->blocks[b];
    memcpy(blocks[b].name, block->name, RF_MAX_NAME);
    blocks[b].size = block->size;
    for (int t = 0; t < block->n_tensors; t++, next++) {
      const rf_tensor *tensor = &block->tensors[t];
      *next = (rf_tensor_row){.block = b, .offset = tensor->offset, .n_dims = tensor->n_dims};
      memcpy(next->name, tensor->name, RF_MAX_NAME);
      memcpy(next->shape, tensor->shape, (size_t)tensor->n_dims * sizeof *tensor->shape);
    }
  }
  if (status == RF_OK) status = write_table(file, "blocks", rf_block_columns, sizeof *blocks, layout->n_blocks, blocks);
  if (status == RF_OK) status = write_table(file, "tensors", rf_tensor_columns, sizeof *tensors, n, tensors);
  free(blocks);
  free(tensors);
  return status;
}

static rf_status fill_manifest(hid_t file, const rf_checkpoint_header *header, int ranks, const rf_layout *layout,
                               int64_t n_segments, const rf_segment *segments) {
  RF_TRY(write_text(file, "format", "reformer checkpoint", true));
  RF_TRY(write_int(file, "version", RF_CHECKPOINT_VERSION));
  RF_TRY(write_int(file, "step", header->step));
  RF_TRY(write_number(file, "seed", H5T_STD_U64LE, H5T_NATIVE_UINT64, &header->seed));
  RF_TRY(write_int(file, "ranks", ranks));
  RF_TRY(write_int(file, "mesh_sequence", header->mesh_sequence));
  RF_TRY(write_int(file, "mesh_data", header->mesh_data));
  RF_TRY(write_int(file, "real_bytes", sizeof(real)));
  RF_TRY(write_number(file, "eval_loss", H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, &header->eval_loss));
  if (header->machine[0] != '\0') RF_TRY(write_text(file, "machine", header->machine, true));
  RF_TRY(write_data(file, &header->data));
  RF_TRY(write_text(file, "config", header->config, false));
  RF_TRY(write_layout(file, layout));
  RF_TRY(write_table(file, "segments", rf_segment_columns, sizeof *segments, n_segments, segments));
  return rf_manifest_add_views(file, ranks, layout, n_segments, segments);
}

/* More than HDF5 will write: rows and pieces of views are some hundred bytes each, a view has some blocks of its own.
 */
static int64_t manifest_most_bytes(const rf_checkpoint_header *header, const rf_layout *layout, int64_t n_segments) {
  int64_t tensors = 0;
  for (int b = 0; b < layout->n_blocks; b++) tensors += layout->blocks[b].n_tensors;
  return (1 << 20) + (int64_t)strlen(header->config) + 1024 * n_segments + 16384 * tensors;
}

rf_status rf_manifest_make(const rf_checkpoint_header *header, int ranks, const rf_layout *layout, int64_t n_segments,
                           const rf_segment *segments, rf_memory_file *memory) {
  rf_h5 h = {0};
  const int64_t most = manifest_most_bytes(header, layout, n_segments);
  RF_TRY(rf_memory_file_create(RF_MANIFEST_NAME, most, most, memory));
  rf_h5_listen();
  const hid_t access = rf_h5_access(&h);
  const hid_t file = access >= 0 ? rf_h5_keep(&h, H5Fcreate(memory->path, H5F_ACC_TRUNC, H5P_DEFAULT, access)) : -1;
  rf_memory_file_hide(memory);
  rf_status status =
      file >= 0 ? fill_manifest(file, header, ranks, layout, n_segments, segments) : fail_to_write("the file");
  if (!rf_h5_close(&h) && status == RF_OK) status = fail_to_write("the file");
  if (status != RF_OK) rf_memory_file_close(memory);
  return status;
}

rf_status rf_manifest_write(const char *folder, const rf_memory_file *memory, rf_file_digest *digest) {
  char path[RF_MAX_PATH];
  *digest = (rf_file_digest){.name = RF_MANIFEST_NAME};
  RF_TRY(rf_path_join(folder, RF_MANIFEST_NAME, path));
  return rf_file_digest_write(path, memory, 0, NULL, NULL, digest);
}
