/* The hash by which bytes are known again: XXH64, seed 0. */
#ifndef RF_BASE_HASH_H
#define RF_BASE_HASH_H

#include "reformer/error.h"
#include <stdint.h>

uint64_t rf_hash(const void *data, int64_t bytes);
/* The same of a whole plain file, in a little memory. */
rf_status rf_file_hash(const char *path, uint64_t *hash, int64_t *size);

#endif
