/* What went wrong on any rank, where it ends nothing: a disk that is full, a file that is damaged. Unlike an agreement
 * (reformer/agree.h), whose failure is the end of the mesh, a survey only tells all ranks, and they go on together. */
#ifndef RF_COMM_SURVEY_H
#define RF_COMM_SURVEY_H

#include "reformer/error.h"
#include "reformer/mesh_view.h"

enum { RF_MAX_FINDING = 1024 };

/* What all ranks learn: the gravest status that a rank brought (RF_BAD_DATA before RF_FAILED), with the message of the
 * lowest rank that brought it, who is named with its host unless all ranks bring the same status. */
typedef struct rf_finding {
  rf_status status; /* RF_OK: all is well, and there is no message */
  int rank;         /* who brought it */
  char message[RF_MAX_FINDING];
} rf_finding;

/* Called by all ranks of the world, at the same points. `own`: this rank's status, whose message is rf_error_message.
 * Returns RF_OK whatever was brought; else the failure of the mesh itself. mesh NULL: the finding is this process's. */
rf_status rf_survey(rf_mesh *mesh, rf_status own, rf_finding *finding);

#endif
