/* What is lost where bytes of a checkpoint are damaged, in words. */
#ifndef RF_CHECKPOINT_DAMAGE_H
#define RF_CHECKPOINT_DAMAGE_H

#include "checkpoint/manifest.h"
#include "reformer/config.h"

enum { RF_MAX_DAMAGE = 1024 + RF_MAX_PATH };

/* "PATH: bytes A to B are damaged (parameters of NAME, ...)" into text, RF_MAX_DAMAGE bytes. manifest: NULL where it
 * cannot be read. */
const char *rf_damage_text(const char *path, const rf_file_digest *digest, const rf_manifest *manifest, int64_t from,
                           int64_t to, char *text);

#endif
