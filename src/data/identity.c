#include "data/identity.h"
#include "base/hash.h"
#include "base/integers.h"
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* Of a file of `bytes`: all of a small one, sample by sample; else the first, the last, and others at even steps
 * between.
 *
 *   |##|....|##|....|##|....|##|      file of more than 4 MiB: 64 samples of 64 KiB */
static int samples_of(int64_t bytes) {
  const int64_t samples = rf_ceil_div(bytes, RF_SAMPLE_BYTES);
  return samples < RF_SAMPLES ? (int)samples : RF_SAMPLES;
}

static int64_t start_of(int64_t bytes, int i) {
  if (samples_of(bytes) < RF_SAMPLES) return (int64_t)i * RF_SAMPLE_BYTES;
  return (bytes - RF_SAMPLE_BYTES) / (RF_SAMPLES - 1) * i +
         (bytes - RF_SAMPLE_BYTES) % (RF_SAMPLES - 1) * i / (RF_SAMPLES - 1);
}

static int64_t end_of(int64_t bytes, int i) {
  const int64_t end = start_of(bytes, i) + RF_SAMPLE_BYTES;
  return end < bytes ? end : bytes;
}

/* buffer: [RF_SAMPLE_BYTES] */
static rf_status hash_between(const rf_source *source, int64_t from, int64_t to, char *buffer, uint64_t *hash) {
  RF_TRY(rf_source_bytes(source, from, to - from, buffer));
  *hash = rf_hash(buffer, to - from);
  return RF_OK;
}

/* The samples that a file of `bytes` has, of those that lie before `end` in this one; *n: how many. */
static rf_status hash_samples(const rf_source *source, int64_t bytes, int64_t end, uint64_t *hash, int *n) {
  char *buffer = malloc(RF_SAMPLE_BYTES);
  if (!buffer) return rf_fail(RF_FAILED, "%s: out of memory: samples", source->path);
  rf_status status = RF_OK;
  for (*n = 0; status == RF_OK && *n < samples_of(bytes) && end_of(bytes, *n) <= end;) {
    status = hash_between(source, start_of(bytes, *n), end_of(bytes, *n), buffer, &hash[*n]);
    if (status == RF_OK) ++*n;
  }
  free(buffer);
  return status;
}

static int64_t bytes_of(const rf_source *source) { return source->tokens * source->token_bytes; }

rf_status rf_source_identify(const rf_source *source, rf_data_identity *identity) {
  int n;
  *identity = (rf_data_identity){.bytes = bytes_of(source)};
  return hash_samples(source, identity->bytes, identity->bytes, identity->hash, &n);
}

rf_status rf_source_compare(const rf_source *source, const rf_data_identity *before, rf_data_change *change) {
  const int64_t bytes = bytes_of(source);
  uint64_t hash[RF_SAMPLES];
  int n;
  RF_TRY(hash_samples(source, before->bytes, bytes, hash, &n));
  const bool alike = n > 0 && memcmp(hash, before->hash, (size_t)n * sizeof *hash) == 0;
  *change = !alike                   ? RF_DATA_REPLACED
            : bytes == before->bytes ? RF_DATA_SAME
            : bytes > before->bytes  ? RF_DATA_GROWN
                                     : RF_DATA_CUT;
  return RF_OK;
}
