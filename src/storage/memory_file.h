/* A file in memory, for HDF5 to write into: what HDF5 makes is brought to the disk by calls of our own, whose failures
 * are ours to tell. (HDF5 1.10 cannot close a file that it cannot write, and crashes later on when it ends.) Numbers
 * that are laid out but not written take no memory. */
#ifndef RF_STORAGE_MEMORY_FILE_H
#define RF_STORAGE_MEMORY_FILE_H

#include "reformer/config.h"
#include "reformer/error.h"
#include <stdbool.h>
#include <stdint.h>

/* All zero: none. */
typedef struct rf_memory_file {
  bool open;
  int file;
  char path[RF_MAX_PATH]; /* until it is hidden */
} rf_memory_file;

/* name: for messages. size: bytes that it may become long; written: of those that are written, at most. RF_FAILED where
 * there can be no such file. */
rf_status rf_memory_file_create(const char *name, int64_t size, int64_t written, rf_memory_file *memory);
/* Takes its name away, as soon as HDF5 has opened it: so it is gone when the process is, however that ends. */
void rf_memory_file_hide(rf_memory_file *memory);
rf_status rf_memory_file_size(const rf_memory_file *memory, int64_t *size);
void rf_memory_file_close(rf_memory_file *memory);

#endif
