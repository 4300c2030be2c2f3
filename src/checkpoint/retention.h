/* Which checkpoints of a run stay. */
#ifndef RF_CHECKPOINT_RETENTION_H
#define RF_CHECKPOINT_RETENTION_H

#include "reformer/config.h"

typedef struct rf_retention_entry {
  int64_t step;
  double eval_loss; /* NaN: not known */
  bool verified;    /* written or resumed from by this run, or checked byte by byte */
  bool resumed;     /* the run started from it */
  bool stuck;       /* it could not be removed: not tried again */
} rf_retention_entry;

/* By how many more the newest verified checkpoints may be counted before any may go: those up to step `newest`, which
 * was just written; later ones are of a run that went further, and are left alone. 0: enough. */
int64_t rf_retention_missing(const rf_checkpoint_config *config, int64_t newest, int n, const rf_retention_entry *all);

/* Whether checkpoint `which` is to be removed: `keep` verified ones are newer, and it is neither the one resumed from,
 * nor a permanent one, nor one of the best (lowest loss of all, and of the verified; the later of equals). A pure
 * function. */
bool rf_retention_removes(const rf_checkpoint_config *config, int64_t newest, int n, const rf_retention_entry *all,
                          int which);

#endif
