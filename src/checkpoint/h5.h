/* HDF5 without its noise: handles that are closed together, and errors that are ours to tell. */
#ifndef RF_CHECKPOINT_H5_H
#define RF_CHECKPOINT_H5_H

#include "reformer/real.h"
#include <assert.h>
#include <hdf5.h>
#include <stdbool.h>

/* The numbers of a checkpoint, in the file. */
static inline hid_t rf_h5_real(int bytes) { return bytes == 8 ? H5T_IEEE_F64LE : H5T_IEEE_F32LE; }

/* Handles of one scope, in the order of their making. */
typedef struct rf_h5 {
  int n;
  hid_t ids[16];
} rf_h5;

/* Keeps a handle and returns it, so that its check reads on in the same line. */
static inline hid_t rf_h5_keep(rf_h5 *h, hid_t id) {
  assert(h->n < (int)(sizeof h->ids / sizeof *h->ids));
  if (id >= 0) h->ids[h->n++] = id;
  return id;
}

/* Lets all go, the last first. False where one could not be closed, which for a file means that it is not whole. */
static inline bool rf_h5_close(rf_h5 *h) {
  bool closed = true;
  while (h->n > 0) closed = H5Idec_ref(h->ids[--h->n]) >= 0 && closed;
  return closed;
}

#endif
