/* Which of a session's collective functions a rank is in. Ranks that are in different ones would take each other's
 * messages for their own, or wait for ever; all are told who is where instead.
 *
 * A call travels in every vote (comm/agree.c), which has room for it. What is not a step begins with an agreement, so
 * calls that differ meet there. A step begins with none, and costs nothing: a rank that has waited long in an
 * agreement tells the others where it is, and who is in the middle of a step, and waits for messages that will not
 * come, finds that it is elsewhere. */
#ifndef RF_COMM_API_CALL_H
#define RF_COMM_API_CALL_H

#include "reformer/error.h"
#include "reformer/mesh_view.h"

typedef enum rf_api_call {
  RF_API_CALL_NONE, /* in no session's */
  RF_API_CALL_CREATE,
  RF_API_CALL_STEP,
  RF_API_CALL_EVALUATE_TRAIN, /* and, in the order of rf_split, the others */
  RF_API_CALL_EVALUATE_VALIDATION,
  RF_API_CALL_EVALUATE_TEST,
  RF_API_CALL_SAVE,
  RF_API_CALL_LOAD
} rf_api_call;

/* The mesh's next session, counted from 1, the same on all ranks; 0 where mesh is NULL. */
int rf_api_call_count_session(rf_mesh *mesh);

/* This rank is in `call` of that session until rf_api_call_end. mesh NULL: nothing to do. */
void rf_api_call_begin(rf_mesh *mesh, rf_api_call call, int session);
void rf_api_call_end(rf_mesh *mesh);

/* For comm/: fails where the calls in mesh->votes differ. */
rf_status rf_api_call_compare(const rf_mesh *mesh);
/* Takes a note that has come. */
rf_status rf_api_call_receive(rf_mesh *mesh, int from);
/* Fails where the last one was of a rank that waits elsewhere. */
rf_status rf_api_call_check(const rf_mesh *mesh);
/* Tells the others where this one waits, once in an agreement and unless another has. */
rf_status rf_api_call_tell(rf_mesh *mesh);
/* Whether that has left this rank. */
bool rf_api_call_is_told(rf_mesh *mesh);

#endif
