/* How a step's batch is shared out among data groups and micro-batches (train/batch.h has the picture). */
#ifndef RF_PLAN_BATCH_H
#define RF_PLAN_BATCH_H

#include "reformer/error.h"
#include <stdbool.h>
#include <stdint.h>

typedef struct rf_batch_share {
  int64_t count, micro; /* sequences of a group: of a step, of a micro-batch */
} rf_batch_share;

bool rf_batch_divides(int64_t batch, int64_t accumulate, int64_t groups);
/* RF_BAD_CONFIG where it does not divide. */
rf_status rf_batch_divide(int64_t batch, int64_t accumulate, int64_t groups, rf_batch_share *share);

#endif
