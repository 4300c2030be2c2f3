/* Where a run begins: at its start, or after the steps of a checkpoint. */
#ifndef RF_CLI_TRAIN_START_H
#define RF_CLI_TRAIN_START_H

#include "config/origin.h"
#include "session/session.h"
#include <stdbool.h>

/* What was asked for, the same on all ranks. */
typedef struct rf_train_request {
  rf_config given; /* of rf_config_read */
  rf_origin origin;
  rf_mesh *mesh;
  const char *folder; /* the run's; "": it is not made yet */
  bool holds_run;     /* the folder does */
  const char *resume; /* auto, never, or the path of a checkpoint */
} rf_train_request;

typedef struct rf_train_start {
  rf_session *session;    /* owned */
  char from[RF_MAX_PATH]; /* the checkpoint; "": none */
  bool from_here;         /* it is one of the folder's */
} rf_train_start;

/* Called by all ranks. Of the folder's checkpoints the newest of which every needed byte verifies; those that are
 * passed over are warned about. RF_BAD_CONFIG where a run would be written over; RF_BAD_DATA where there are
 * checkpoints and none can be used, or where the configuration is not that of the checkpoint. Makes and changes no
 * files. */
rf_status rf_train_start_find(const rf_train_request *request, rf_train_start *start);

#endif
