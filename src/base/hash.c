#include "base/hash.h"
#include "base/plain_file.h"
#include <stdlib.h>
#include <unistd.h>
#include <xxhash.h>

enum { HASHED_AT_ONCE = 1 << 16 };

uint64_t rf_hash(const void *data, int64_t bytes) { return XXH64(data, (size_t)bytes, 0); }

static rf_status hash_open(int file, const char *path, int64_t size, char *buffer, XXH64_state_t *state) {
  (void)XXH64_reset(state, 0);
  for (int64_t at = 0; at < size; at += HASHED_AT_ONCE) {
    const int64_t bytes = size - at < HASHED_AT_ONCE ? size - at : HASHED_AT_ONCE;
    RF_TRY(rf_file_read(file, path, at, buffer, bytes));
    (void)XXH64_update(state, buffer, (size_t)bytes);
  }
  return RF_OK;
}

rf_status rf_file_hash(const char *path, uint64_t *hash, int64_t *size) {
  int file;
  RF_TRY(rf_file_open(path, &file, size));
  char *buffer = malloc(HASHED_AT_ONCE);
  XXH64_state_t *state = XXH64_createState();
  const rf_status status =
      buffer && state ? hash_open(file, path, *size, buffer, state) : rf_fail(RF_FAILED, "%s: out of memory", path);
  if (status == RF_OK) *hash = XXH64_digest(state);
  (void)XXH64_freeState(state);
  free(buffer);
  (void)close(file);
  return status;
}
