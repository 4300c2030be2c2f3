#include "weights/logits_file.h"
#include "base/h5.h"
#include "base/plain_file.h"
#include "checkpoint/bearer.h"
#include "storage/files.h"
#include "storage/memory_file.h"
#include "storage/output.h"
#include <stdlib.h>
#include <unistd.h>

/* The data sets, in the order in which they are laid out. HDF5's own part is smaller than META. */
enum { LOGITS, TOKEN_LOSS, LOSS, SETS, META = 1 << 14 };

const rf_output_kind rf_logits_kind = {.what = "a file of logits", .check_folder = rf_bearer_check_file};

struct rf_logits_file {
  rf_output output;
  int64_t sequences, length, vocab;
  int64_t at[SETS], bytes[SETS]; /* where HDF5 put the numbers */
  real *row;                     /* [length] */
};

static const char *const names[SETS] = {"logits", "token_loss", "loss"};

/* --- the file as HDF5 wants it, without the numbers ---------------------------------------------- */

static rf_status fail_by_h5(const rf_logits_file *f, const char *what) {
  return rf_fail(RF_FAILED, "%s: HDF5 cannot lay out %s: %s", f->output.path, what, rf_h5_cause());
}

static rf_status lay_out_set(rf_logits_file *f, hid_t file, int set) {
  rf_h5 h = {0};
  static const int dims[SETS] = {3, 2, 0};
  const hsize_t shape[] = {(hsize_t)f->sequences, (hsize_t)f->length, (hsize_t)f->vocab};
  const hid_t space = rf_h5_keep(&h, dims[set] > 0 ? H5Screate_simple(dims[set], shape, NULL) : H5Screate(H5S_SCALAR));
  const hid_t how = rf_h5_in_place(&h);
  const hid_t made =
      space >= 0 && how >= 0
          ? rf_h5_keep(&h, H5Dcreate2(file, names[set], rf_h5_real(sizeof(real)), space, H5P_DEFAULT, how, H5P_DEFAULT))
          : -1;
  const haddr_t place = made >= 0 ? H5Dget_offset(made) : HADDR_UNDEF;
  f->at[set] = (int64_t)place;
  return rf_h5_close(&h) && place != HADDR_UNDEF ? RF_OK : fail_by_h5(f, names[set]);
}

static rf_status lay_out_logits(rf_logits_file *f, rf_memory_file *layout) {
  rf_h5 h = {0};
  rf_h5_listen();
  const hid_t access = rf_h5_access(&h);
  const hid_t file = access >= 0 ? rf_h5_keep(&h, H5Fcreate(layout->path, H5F_ACC_TRUNC, H5P_DEFAULT, access)) : -1;
  rf_memory_file_hide(layout);
  rf_status status = file >= 0 ? RF_OK : fail_by_h5(f, "the file");
  for (int i = 0; status == RF_OK && i < SETS; i++) status = lay_out_set(f, file, i);
  return rf_h5_close(&h) || status != RF_OK ? status : fail_by_h5(f, "the file");
}

/* --- that, on the disk --------------------------------------------------------------------------- */

static rf_status copy(const rf_logits_file *f, const rf_memory_file *layout, int64_t from, int64_t to) {
  char part[4096];
  while (from < to) {
    const int64_t n = to - from < (int64_t)sizeof part ? to - from : (int64_t)sizeof part;
    RF_TRY(rf_file_read(layout->file, "the layout in memory", from, part, n));
    RF_TRY(rf_file_write(f->output.file, f->output.path, from, part, n));
    from += n;
  }
  return RF_OK;
}

/* What lies before, between and behind the numbers. Room for all is asked for before the work is done. */
static rf_status write_logits_layout(const rf_logits_file *f, const rf_memory_file *layout) {
  int64_t size, from = 0;
  RF_TRY(rf_memory_file_size(layout, &size));
  RF_TRY(rf_output_reserve(&f->output, size));
  for (;;) {
    int next = -1;
    for (int i = 0; i < SETS; i++)
      if (f->at[i] >= from && (next < 0 || f->at[i] < f->at[next])) next = i;
    RF_TRY(copy(f, layout, from, next < 0 ? size : f->at[next]));
    if (next < 0) return RF_OK;
    from = f->at[next] + f->bytes[next];
  }
}

static rf_status create_logits(rf_logits_file *f) {
  rf_memory_file layout;
  RF_TRY(rf_memory_file_create(f->output.path, f->bytes[LOGITS] + f->bytes[TOKEN_LOSS] + META, META, &layout));
  rf_status status = lay_out_logits(f, &layout);
  if (status == RF_OK) status = write_logits_layout(f, &layout);
  rf_memory_file_close(&layout);
  return status;
}

static rf_status open_all(rf_logits_file *f, const char *path, bool force) {
  f->output.file = -1;
  f->bytes[LOSS] = sizeof(real);
  f->row = calloc((size_t)f->length, sizeof *f->row);
  if (!f->row || __builtin_mul_overflow(f->sequences * f->length, (int64_t)sizeof(real), &f->bytes[TOKEN_LOSS]) ||
      __builtin_mul_overflow(f->bytes[TOKEN_LOSS], f->vocab, &f->bytes[LOGITS]))
    return rf_fail(RF_FAILED, "%s: out of memory, or of numbers to count its bytes", path);
  RF_TRY(rf_output_open(path, &rf_logits_kind, force, &f->output));
  return create_logits(f);
}

rf_status rf_logits_file_create(const rf_logits_place *place, int64_t sequences, int64_t length, int64_t vocab,
                                rf_logits_file **file) {
  *file = NULL;
  rf_logits_file *f = calloc(1, sizeof *f);
  if (!f) return rf_fail(RF_FAILED, "%s: out of memory", place->path);
  f->sequences = sequences;
  f->length = length;
  f->vocab = vocab;
  const rf_status status = open_all(f, place->path, place->force);
  if (status == RF_OK)
    *file = f;
  else
    rf_logits_file_abandon(f);
  return status;
}

/* --- the numbers --------------------------------------------------------------------------------- */

static rf_status write_numbers(const rf_logits_file *f, int set, int64_t first, int64_t n, const real *values) {
  const int64_t size = sizeof(real);
  return rf_file_write(f->output.file, f->output.path, f->at[set] + first * size, values, n * size);
}

rf_status rf_logits_file_add(rf_logits_file *f, int64_t sequence, int64_t first, int64_t n, const real *logits) {
  return write_numbers(f, LOGITS, (sequence * f->length + first) * f->vocab, n * f->vocab, logits);
}

rf_status rf_logits_file_add_losses(rf_logits_file *f, int64_t sequence, const double *token_loss) {
  for (int64_t i = 0; i < f->length; i++) f->row[i] = (real)token_loss[i];
  return write_numbers(f, TOKEN_LOSS, sequence * f->length, f->length, f->row);
}

rf_status rf_logits_file_finish(rf_logits_file *f, double loss) {
  const real value = (real)loss;
  rf_status status = write_numbers(f, LOSS, 0, 1, &value);
  if (status == RF_OK) status = rf_output_finish(&f->output);
  rf_logits_file_abandon(f);
  return status;
}

void rf_logits_file_abandon(rf_logits_file *f) {
  if (!f) return;
  rf_output_abandon(&f->output);
  free(f->row);
  free(f);
}
