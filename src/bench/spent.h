/* Where the time of what is repeated goes, by phase, and what it sends, by purpose. */
#ifndef RF_BENCH_SPENT_H
#define RF_BENCH_SPENT_H

#include "base/phase.h"
#include "comm/mesh.h"

/* Of one repeat, mean over repeats. */
typedef struct rf_spent {
  double seconds[RF_PHASES];         /* mean over ranks */
  double waited[RF_PHASES];          /* of these, standing still for other ranks */
  double bytes[RF_TRAFFIC_PURPOSES]; /* of all ranks */
} rf_spent;

/* From here on it counts. */
void rf_spent_start(rf_mesh *mesh);
/* What was spent since, in so many repeats. Called by all ranks; all get the same. */
rf_status rf_spent_read(rf_mesh *mesh, int64_t repeats, rf_spent *spent);

/* Of all phases. */
double rf_spent_sum(const double *phases);

#endif
