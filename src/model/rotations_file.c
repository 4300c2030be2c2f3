#include "model/rotations_file.h"
#include "base/h5.h"
#include "base/text.h"
#include "lsh/hash.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { DIMS = 4, MOST_TEXT = 256 };

/* One data set to be read. */
typedef struct source {
  const char *path;
  char name[32];
  hsize_t wanted[DIMS];
  size_t count;
} source;

static rf_status refuse_rotations(const source *s, const char *problem) {
  return rf_fail(RF_BAD_DATA, "%s: data set %s: %s; wanted: numbers of shape (%llu, %llu, %llu, %llu)", s->path,
                 s->name, problem, (unsigned long long)s->wanted[0], (unsigned long long)s->wanted[1],
                 (unsigned long long)s->wanted[2], (unsigned long long)s->wanted[3]);
}

static rf_status refuse_by_hdf5(const source *s, const char *problem) {
  char text[2 * MOST_TEXT];
  (void)snprintf(text, sizeof text, "%s: %s", problem, rf_h5_cause());
  return refuse_rotations(s, text);
}

static bool is_number(hid_t dataset) {
  const hid_t type = H5Dget_type(dataset);
  if (type < 0) return false;
  const H5T_class_t class = H5Tget_class(type);
  return H5Tclose(type) >= 0 && (class == H5T_FLOAT || class == H5T_INTEGER);
}

static rf_status check_shape(const source *s, hid_t dataset) {
  const hid_t space = H5Dget_space(dataset);
  if (space < 0) return refuse_rotations(s, "its shape cannot be read");
  hsize_t found[H5S_MAX_RANK];
  const int n_dims = H5Sget_simple_extent_dims(space, found, NULL);
  if (H5Sclose(space) < 0 || n_dims < 0) return refuse_rotations(s, "its shape cannot be read");
  bool same = n_dims == DIMS;
  char text[MOST_TEXT] = "found shape (";
  for (int i = 0; i < n_dims; i++) {
    rf_text_append(text, sizeof text, "%s%llu", i > 0 ? ", " : "", (unsigned long long)found[i]);
    same = same && found[i] == s->wanted[i];
  }
  rf_text_append(text, sizeof text, ")");
  return same ? RF_OK : refuse_rotations(s, text);
}

static rf_status read_open(const source *s, hid_t dataset, double *values) {
  if (!is_number(dataset)) return refuse_rotations(s, "its values are not numbers");
  RF_TRY(check_shape(s, dataset));
  if (H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values) < 0)
    return refuse_by_hdf5(s, "it cannot be read");
  return RF_OK;
}

static rf_status read_dataset(const source *s, hid_t file, double *values) {
  const hid_t dataset = H5Dopen2(file, s->name, H5P_DEFAULT);
  if (dataset < 0) return refuse_by_hdf5(s, "there is none that can be opened");
  const rf_status status = read_open(s, dataset, values);
  if (H5Dclose(dataset) < 0 && status == RF_OK) return refuse_rotations(s, "it cannot be closed");
  return status;
}

static rf_status to_real(const source *s, const double *values, real *rotations) {
  for (size_t i = 0; i < s->count; i++) {
    rotations[i] = (real)values[i];
    if (isfinite(rotations[i])) continue;
    char text[MOST_TEXT];
    (void)rf_text_print(text, sizeof text, "value %zu is %g, which is not finite in %s", i, values[i], RF_REAL_NAME);
    return refuse_rotations(s, text);
  }
  return RF_OK;
}

static rf_status load_layer(const source *s, hid_t file, int64_t layer, rf_blocks *blocks) {
  double *values = calloc(s->count, sizeof *values);
  real *rotations = malloc(s->count * sizeof *rotations);
  rf_status status = RF_OK;
  if (!values || !rotations) {
    status = rf_fail(RF_FAILED, "%s: out of memory: rotations", s->path);
  } else {
    status = read_dataset(s, file, values);
    if (status == RF_OK) status = to_real(s, values, rotations);
    if (status == RF_OK) status = rf_blocks_set_rotations(blocks, layer, rotations);
  }
  free(values);
  free(rotations);
  return status;
}

static rf_status load_layers(const char *path, hid_t file, rf_blocks *blocks) {
  const rf_config *config = blocks->layers[0].attention.config;
  const rf_hash_shape shape = rf_hash_shape_of(&config->lsh, config->model.d_head);
  for (int64_t i = 0; i < rf_blocks_lsh_layers(blocks); i++) {
    source s = {.path = path,
                .wanted = {(hsize_t)config->model.n_heads, (hsize_t)shape.d_head, (hsize_t)shape.rounds,
                           (hsize_t)shape.columns}};
    snprintf(s.name, sizeof s.name, "rotations/%lld", (long long)i);
    s.count = (size_t)(s.wanted[0] * s.wanted[1] * s.wanted[2] * s.wanted[3]);
    RF_TRY(load_layer(&s, file, i, blocks));
  }
  return RF_OK;
}

rf_status rf_rotations_file_load(const char *path, rf_blocks *blocks) {
  rf_h5 h = {0};
  hid_t file;
  rf_h5_listen();
  rf_status status = rf_h5_open(path, &h, &file);
  if (status == RF_OK)
    status = load_layers(path, file, blocks);
  else
    status = rf_fail(status,
                     "%s; lsh.rotations wants per_head, shared, or an HDF5 file with data sets rotations/0, "
                     "rotations/1, ..",
                     rf_error_message());
  if (!rf_h5_close(&h) && status == RF_OK)
    status = rf_fail(RF_BAD_DATA, "%s: cannot be closed: %s", path, rf_h5_cause());
  return status;
}
