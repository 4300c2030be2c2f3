/* What tells the file of a data set from another one without reading all of it: its size, and hashes of up to
 * RF_SAMPLES samples of RF_SAMPLE_BYTES (4 MiB in all; the first and the last one, and others at even distances). */
#ifndef REFORMER_DATA_IDENTITY_H
#define REFORMER_DATA_IDENTITY_H

#include <stdint.h>

enum { RF_SAMPLES = 64, RF_SAMPLE_BYTES = 1 << 16 };
typedef struct rf_data_identity {
  int64_t bytes;             /* 0: there is no file (duplication task), or nothing is known of it */
  uint64_t hash[RF_SAMPLES]; /* XXH64, seed 0; 0 behind the last */
} rf_data_identity;

/* What became of a file since it was identified. */
typedef enum rf_data_change {
  RF_DATA_SAME,
  RF_DATA_GROWN,   /* what was there is as it was, as far as samples tell */
  RF_DATA_CUT,     /* what is left is as it was */
  RF_DATA_REPLACED /* by other bytes */
} rf_data_change;

#endif
