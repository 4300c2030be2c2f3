/* A session (reformer/session.h), and its parts for the program's own run. */
#ifndef RF_SESSION_SESSION_H
#define RF_SESSION_SESSION_H

#include "reformer/checkpoint.h"
#include "reformer/session.h"
#include "train/resume.h"
#include "train/step.h"

struct rf_session {
  rf_trainer trainer;
  int number;                   /* of the mesh's sessions, from 1; 0: without a mesh, or the program's own */
  char machine[RF_MAX_MACHINE]; /* of rf_machine_describe */
  int64_t step;                 /* steps that are done */
  double eval_loss;             /* on the validation split, after eval_step steps */
  int64_t eval_step;            /* -1: it was not evaluated */
  bool spoilt;                  /* the numbers may in part be those of a checkpoint that could not be loaded */
};

/* rf_session_create, for a settled configuration whose messages name a file, and for ranks that were compared and have
 * the stacks that it takes. */
rf_status rf_session_create_from(const char *file, const rf_config *config, rf_mesh *mesh, rf_session **session);

/* Whether the session can go on from an open checkpoint whose configuration fits: RF_BAD_DATA where it holds the state
 * of another optimizer, or where the data can no longer be read. Warns of data and a machine that are others than up to
 * there. By all ranks, not collective: they may fare differently. path: its folder, for messages. */
rf_status rf_session_fits(const rf_session *session, const char *path, const rf_checkpoint *checkpoint);

/* Takes the state of a checkpoint that fits. Where finding->status is not RF_OK the session is spoilt. Collective. */
rf_status rf_session_take(rf_session *session, rf_checkpoint *checkpoint, rf_finding *finding);

#endif
