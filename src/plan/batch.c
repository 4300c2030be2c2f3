#include "plan/batch.h"

bool rf_batch_divides(int64_t batch, int64_t accumulate, int64_t groups) { return batch % (groups * accumulate) == 0; }

rf_status rf_batch_divide(int64_t batch, int64_t accumulate, int64_t groups, rf_batch_share *share) {
  if (!rf_batch_divides(batch, accumulate, groups))
    return rf_fail(RF_BAD_CONFIG,
                   "training.batch: found %lld, which does not divide over %lld data groups x training.accumulate "
                   "%lld; allowed: a multiple of %lld",
                   (long long)batch, (long long)groups, (long long)accumulate, (long long)(groups * accumulate));
  share->count = batch / groups;
  share->micro = share->count / accumulate;
  return RF_OK;
}
