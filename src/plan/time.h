/* Time of a training step from latencies, bandwidths and rates of arithmetic. */
#ifndef RF_PLAN_TIME_H
#define RF_PLAN_TIME_H

#include "base/phase.h"
#include "plan/rates.h"
#include "plan/traffic.h"

typedef struct rf_plan_time {
  double seconds[RF_PHASES]; /* of a step, of a rank; waiting included */
  double waited[RF_PHASES];
  double total;
  double tokens;     /* of a step, of all ranks */
  double moving;     /* of the total, in which a rank's processors move messages, waiting not included */
  double messages;   /* that a rank sends for attention's exchanges and plans */
  const char *limit; /* what takes most: "arithmetic", "memory and sorting", "bandwidth", "latency", ... */
} rf_plan_time;

/* Arithmetic is evenly shared; a rank's messages leave one after the other at the link's latency and rate. Of an
 * exchange, what does not fit behind cluster->overlap of the arithmetic of attention is waited for, and all of it where
 * there is but one wave. Histograms and plans are waited for. Parameters and gradients travel behind the same share of
 * feed-forward and head, while the links are not used by rows. What messages cost the processors nothing hides; the
 * wire goes on meanwhile. */
rf_status rf_plan_time_of(const rf_config *config, int64_t sequence, int64_t data, const rf_plan_stash *stash,
                          const rf_rates *cluster, rf_plan_time *time);

#endif
