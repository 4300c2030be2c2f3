/* A session (reformer/session.h), and its parts for the program's own run. */
#ifndef RF_SESSION_SESSION_H
#define RF_SESSION_SESSION_H

#include "reformer/checkpoint.h"
#include "reformer/session.h"
#include "train/resume.h"
#include "train/step.h"

struct rf_session {
  rf_trainer trainer;
  int64_t step;      /* steps that are done */
  double eval_loss;  /* on the validation split, after eval_step steps */
  int64_t eval_step; /* -1: it was not evaluated */
};

/* rf_session_create, for a configuration whose messages name a file. */
rf_status rf_session_create_from(const char *file, const rf_config *config, rf_mesh *mesh, rf_session **session);

/* Takes the state of an open checkpoint whose configuration fits; path: its folder, for messages. Where finding->status
 * is not RF_OK the session is of no more use, but the mesh is. Collective. */
rf_status rf_session_take(rf_session *session, const char *path, rf_checkpoint *checkpoint, rf_finding *finding);

#endif
