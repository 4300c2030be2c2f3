/* HDF5 without its noise: handles that are closed together, errors that are ours to tell, files that are not locked.
 *
 * What is written is locked by nobody else and read by nobody yet, and what is read is not being written; but file
 * systems without flock (Lustre, some NFS) would refuse HDF5 the lock, and so the file. Whoever sets
 * HDF5_USE_FILE_LOCKING gets what he set. */
#ifndef RF_BASE_H5_H
#define RF_BASE_H5_H

#include "reformer/error.h"
#include "reformer/real.h"
#include <hdf5.h>
#include <stdbool.h>

/* The numbers of a checkpoint, in the file. HDF5 only lays them out: their bytes are written and read as they lie in
 * memory, which reformer/real.h makes sure is little-endian too. */
static inline hid_t rf_h5_real(int bytes) { return bytes == 8 ? H5T_IEEE_F64LE : H5T_IEEE_F32LE; }

enum { RF_H5_HANDLES = 16 };

/* Handles of one scope, in the order of their making. */
typedef struct rf_h5 {
  int n;
  hid_t ids[RF_H5_HANDLES];
} rf_h5;

/* Keeps a handle and returns it, so that its check reads on in the same line. One more than a scope has room for is
 * closed, and fails as what HDF5 could not make. */
static inline hid_t rf_h5_keep(rf_h5 *h, hid_t id) {
  if (id < 0) return id;
  if (h->n < RF_H5_HANDLES) return h->ids[h->n++] = id;
  (void)H5Idec_ref(id);
  return -1;
}

/* Lets all go, the last first. False where one could not be closed, which for a file means that it is not whole. */
static inline bool rf_h5_close(rf_h5 *h) {
  bool closed = true;
  while (h->n > 0) closed = H5Idec_ref(h->ids[--h->n]) >= 0 && closed;
  return closed;
}

/* In front of calls that belong together: HDF5 prints nothing, and the cause of the first of them that fails is kept.
 * Like all of HDF5, the main thread's. */
void rf_h5_listen(void);
/* Why: the innermost error of HDF5's stack, in the system's words where it was a call of the system that failed. */
const char *rf_h5_cause(void);

/* How every file is opened or made: closed with all that is open in it, without a lock, and as HDF5 1.8 and later read
 * it. Below 0 where HDF5 cannot. */
hid_t rf_h5_access(rf_h5 *h);
/* How a data set is made whose place in the file is fixed at once, and whose numbers others will write. */
hid_t rf_h5_in_place(rf_h5 *h);
/* Opens a plain file for reading. RF_BAD_DATA: the system's reason, or that it is no HDF5 file and why. */
rf_status rf_h5_open(const char *path, rf_h5 *h, hid_t *file);

#endif
