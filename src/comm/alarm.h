/* Failures on their way between ranks: a rank that fails sends a note to all others, who take it wherever they wait,
 * and keep the gravest. For comm/ only; the agreement on them is reformer/agree.h. */
#ifndef RF_COMM_ALARM_H
#define RF_COMM_ALARM_H

#include "comm/mesh_state.h"
#include "reformer/mesh_view.h"

/* How much a status counts; RF_OK: 0. A wrong command line explains what follows from it; a stop on request is no
 * failure at all. */
int rf_gravity(rf_status status);

/* Leaves in *kept the graver of two notes; of equals that of the lower rank. */
void rf_alarm_keep(rf_note *kept, const rf_note *note);

/* Sends this rank's failure, mesh->own_note, to all others. */
rf_status rf_alarm_tell(rf_mesh *mesh);
/* Takes the notes that have come; what they say is in mesh->alarm, and is no failure of this call. */
rf_status rf_alarm_receive(rf_mesh *mesh);
/* ... and fails where there is an alarm, now or from before. */
rf_status rf_alarm_check(rf_mesh *mesh);
/* Fails with the alarm that there is. */
rf_status rf_alarm_fail(rf_mesh *mesh);

#endif
