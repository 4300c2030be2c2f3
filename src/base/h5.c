#include "base/h5.h"
#include "base/plain_file.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* H5Pset_file_locking came to both lines of releases. */
#define HAS_FILE_LOCKING (H5_VERSION_GE(1, 12, 1) || (H5_VERSION_GE(1, 10, 7) && !H5_VERSION_GE(1, 11, 0)))

enum { MOST_CAUSE = 512 };

static char cause[MOST_CAUSE]; /* "": none yet */

/* HDF5 says "unable to open file: name = 'x', errno = 2, error message = 'No such file or directory', flags = 0". */
static void shorten(const char *text) {
  static const char mark[] = "error message = '";
  const char *reason = strstr(text, mark);
  if (!reason) {
    (void)snprintf(cause, sizeof cause, "%s", text);
    return;
  }
  reason += sizeof mark - 1;
  (void)snprintf(cause, sizeof cause, "%.*s: %.*s", (int)strcspn(text, ":,"), text, (int)strcspn(reason, "'"), reason);
}

static herr_t take_innermost(unsigned depth, const H5E_error2_t *error, void *unused) {
  (void)unused;
  if (depth == 0) shorten(error->desc && error->desc[0] ? error->desc : error->func_name);
  return 0;
}

/* HDF5 calls this in place of printing its stack. */
static herr_t note_innermost(hid_t stack, void *unused) {
  return cause[0] != '\0' ? 0 : H5Ewalk2(stack, H5E_WALK_UPWARD, take_innermost, unused);
}

void rf_h5_listen(void) {
#if !HAS_FILE_LOCKING
  (void)setenv("HDF5_USE_FILE_LOCKING", "FALSE", 0); /* read at each opening; HDF5 is the main thread's */
#endif
  cause[0] = '\0';
  (void)H5Eset_auto2(H5E_DEFAULT, note_innermost, NULL);
}

const char *rf_h5_cause(void) { return cause[0] != '\0' ? cause : "HDF5 names no cause"; }

hid_t rf_h5_access(rf_h5 *h) {
  const hid_t access = rf_h5_keep(h, H5Pcreate(H5P_FILE_ACCESS));
  const bool fine = access >= 0 && H5Pset_fapl_sec2(access) >= 0 &&
                    H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
#if HAS_FILE_LOCKING
                    H5Pset_file_locking(access, false, true) >= 0 &&
#endif
                    H5Pset_libver_bounds(access, H5F_LIBVER_V18, H5F_LIBVER_LATEST) >= 0;
  return fine ? access : -1;
}

hid_t rf_h5_in_place(rf_h5 *h) {
  const hid_t how = rf_h5_keep(h, H5Pcreate(H5P_DATASET_CREATE));
  const bool fine = how >= 0 && H5Pset_layout(how, H5D_CONTIGUOUS) >= 0 &&
                    H5Pset_alloc_time(how, H5D_ALLOC_TIME_EARLY) >= 0 &&
                    H5Pset_fill_time(how, H5D_FILL_TIME_NEVER) >= 0 && H5Pset_obj_track_times(how, 0) >= 0;
  return fine ? how : -1;
}

/* HDF5 would wait for ever for a pipe's other end. */
static rf_status check_plain(const char *path) {
  int file;
  int64_t size;
  RF_TRY(rf_file_open(path, &file, &size));
  (void)close(file);
  return RF_OK;
}

rf_status rf_h5_open(const char *path, rf_h5 *h, hid_t *file) {
  *file = -1;
  RF_TRY(check_plain(path));
  const hid_t access = rf_h5_access(h);
  if (access >= 0) *file = rf_h5_keep(h, H5Fopen(path, H5F_ACC_RDONLY, access));
  if (*file >= 0) return RF_OK;
  return rf_fail(RF_BAD_DATA, "%s: cannot be opened as an HDF5 file: %s", path, rf_h5_cause());
}
