/* Memory, bytes and time of a training run before it is queued, for any number of ranks. */
#ifndef RF_PLAN_PLAN_H
#define RF_PLAN_PLAN_H

#include "plan/memory.h"
#include "plan/time.h"
#include "plan/traffic.h"

typedef struct rf_plan_options {
  int64_t ranks;           /* in all */
  const rf_rates *cluster; /* NULL: no times */
  double memory;           /* bytes that a rank may take; 0: not known */
  const char *json_path;   /* NULL: none */
} rf_plan_options;

/* Prints on standard output: memory of the rank with most, by part; the longest sequence that fits; bytes of a step by
 * purpose; where constants are given, time by phase, what limits it, and the fastest S x D for so many ranks; and how
 * all that grows with the ranks at a fixed number of tokens a rank. RF_BAD_CONFIG where ranks and mesh do not fit. */
rf_status rf_plan_print(const rf_config *config, const rf_plan_options *options);

#endif
