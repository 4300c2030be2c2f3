/* The paper's synthetic task (section 5, "duplicate a sequence of symbols"): sequences 0 w 0 w, w of
 * length / 2 - 1 random symbols from 1..127; only the second half can be predicted, and only it counts. */
#ifndef RF_DATA_DUPLICATE_H
#define RF_DATA_DUPLICATE_H

#include "reformer/split.h"
#include <stdint.h>

enum {
  RF_DUPLICATE_SYMBOLS = 127,   /* 1..127; 0 separates */
  RF_DUPLICATE_EVALUATION = 512 /* sequences of the validation and of the test split */
};
#define RF_DUPLICATE_EPOCH (INT64_C(1) << 48) /* training sequences before the draws repeat */

/* Token `position` < length of a sequence. Training, validation and test draw apart. */
int32_t rf_duplicate_token(uint64_t seed, rf_split split, uint64_t index, int64_t length, int64_t position);

#endif
