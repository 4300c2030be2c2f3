#include "train/logits_file.h"
#include "checkpoint/files.h"
#include "base/h5.h"
#include "reformer/config.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct rf_logits_file {
  char path[RF_MAX_PATH], temporary[RF_MAX_PATH];
  int64_t sequences, length, vocab;
  rf_h5 handles;
  hid_t file, logits, token_loss;
};

static hid_t native(void) { return sizeof(real) == 8 ? H5T_NATIVE_DOUBLE : H5T_NATIVE_FLOAT; }

static rf_status fail(const rf_logits_file *f, const char *what) {
  return rf_fail(RF_FAILED, "%s: HDF5 cannot write %s", f->temporary, what);
}

static hid_t make_set(rf_logits_file *f, const char *name, int n_dims) {
  const hsize_t shape[] = {(hsize_t)f->sequences, (hsize_t)f->length, (hsize_t)f->vocab};
  const hid_t space = n_dims > 0 ? H5Screate_simple(n_dims, shape, NULL) : H5Screate(H5S_SCALAR);
  if (space < 0) return -1;
  const hid_t set = rf_h5_keep(
      &f->handles, H5Dcreate2(f->file, name, rf_h5_real(sizeof(real)), space, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT));
  H5Sclose(space);
  return set;
}

static rf_status create(rf_logits_file *f) {
  const hid_t access = rf_h5_keep(&f->handles, H5Pcreate(H5P_FILE_ACCESS));
  if (access < 0 || H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) < 0) return fail(f, "the file");
  f->file = rf_h5_keep(&f->handles, H5Fcreate(f->temporary, H5F_ACC_TRUNC, H5P_DEFAULT, access));
  if (f->file < 0)
    return rf_fail(RF_FAILED, "%s: cannot be made; give --logits a path in a folder that can be written to",
                   f->temporary);
  f->logits = make_set(f, "logits", 3);
  f->token_loss = make_set(f, "token_loss", 2);
  return f->logits >= 0 && f->token_loss >= 0 ? RF_OK : fail(f, "the data sets");
}

rf_status rf_logits_file_create(const char *path, int64_t sequences, int64_t length, int64_t vocab,
                                rf_logits_file **file) {
  *file = NULL;
  rf_logits_file *f = calloc(1, sizeof *f);
  if (!f) return rf_fail(RF_FAILED, "%s: out of memory", path);
  f->sequences = sequences;
  f->length = length;
  f->vocab = vocab;
  const int a = snprintf(f->path, sizeof f->path, "%s", path);
  const int b = snprintf(f->temporary, sizeof f->temporary, "%.*s.tmp-%ld", RF_MAX_PATH - 32, path, (long)getpid());
  rf_status status = RF_OK;
  if (a >= (int)sizeof f->path - 32 || b >= (int)sizeof f->temporary)
    status = rf_fail(RF_BAD_CONFIG, "--logits: found a path of %d bytes; allowed: 1 to %d", a, RF_MAX_PATH - 33);
  if (status == RF_OK) {
    H5E_BEGIN_TRY { status = create(f); }
    H5E_END_TRY
  }
  if (status == RF_OK)
    *file = f;
  else
    rf_logits_file_abandon(f);
  return status;
}

static bool write_part(hid_t set, int n_dims, const hsize_t *start, const hsize_t *count, hid_t type,
                       const void *values) {
  rf_h5 h = {0};
  const hid_t to = rf_h5_keep(&h, H5Dget_space(set)), from = rf_h5_keep(&h, H5Screate_simple(n_dims, count, NULL));
  bool fine = to >= 0 && from >= 0 && H5Sselect_hyperslab(to, H5S_SELECT_SET, start, NULL, count, NULL) >= 0;
  fine = fine && H5Dwrite(set, type, from, to, H5P_DEFAULT, values) >= 0;
  return rf_h5_close(&h) && fine;
}

rf_status rf_logits_file_add(rf_logits_file *f, int64_t sequence, int64_t first, int64_t n, const real *logits) {
  const hsize_t start[] = {(hsize_t)sequence, (hsize_t)first, 0}, count[] = {1, (hsize_t)n, (hsize_t)f->vocab};
  bool fine;
  H5E_BEGIN_TRY { fine = write_part(f->logits, 3, start, count, native(), logits); }
  H5E_END_TRY
  return fine ? RF_OK : fail(f, "logits");
}

rf_status rf_logits_file_add_losses(rf_logits_file *f, int64_t sequence, const double *token_loss) {
  const hsize_t start[] = {(hsize_t)sequence, 0}, count[] = {1, (hsize_t)f->length};
  bool fine;
  H5E_BEGIN_TRY { fine = write_part(f->token_loss, 2, start, count, H5T_NATIVE_DOUBLE, token_loss); }
  H5E_END_TRY
  return fine ? RF_OK : fail(f, "token_loss");
}

static rf_status finish(rf_logits_file *f, double loss) {
  const hid_t set = make_set(f, "loss", 0);
  const bool written = set >= 0 && H5Dwrite(set, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, &loss) >= 0;
  if (!rf_h5_close(&f->handles) || !written) return fail(f, "loss");
  return rf_rename_synced(f->temporary, f->path);
}

rf_status rf_logits_file_finish(rf_logits_file *f, double loss) {
  rf_status status;
  H5E_BEGIN_TRY { status = finish(f, loss); }
  H5E_END_TRY
  if (status == RF_OK)
    free(f);
  else
    rf_logits_file_abandon(f);
  return status;
}

void rf_logits_file_abandon(rf_logits_file *f) {
  if (!f) return;
  H5E_BEGIN_TRY { (void)rf_h5_close(&f->handles); }
  H5E_END_TRY(void) unlink(f->temporary);
  free(f);
}
