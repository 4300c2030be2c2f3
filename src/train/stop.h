/* What ends a run before its last step: a signal to any of its ranks, or time that is nearly over.
 *
 *   rank 0   step 7 | look | step 8    | look: stop
 *   rank 1   step 7 | look | step ^ 8  | look: stop      the same on all ranks, at the same point
 *                             SIGTERM
 *
 * Signals are remembered until the ranks look: SIGTERM, SIGINT (Ctrl-C), SIGHUP (a lost terminal), SIGUSR1, SIGUSR2 and
 * SIGXCPU (what batch systems send before the end). What was ignored when the program was started stays so. A second
 * one does what it always does and ends the process at once, unless it comes within a second of the first, as launchers
 * pass on what they were sent beside the sender, or is SIGHUP or SIGXCPU, which nobody sends out of impatience. */
#ifndef RF_TRAIN_STOP_H
#define RF_TRAIN_STOP_H

#include "comm/mesh.h"
#include <stdbool.h>

/* From now on these signals are remembered. RF_FAILED where the system does not let them be. */
rf_status rf_stop_listen(void);

/* Time is over when what is left, to training.max_minutes or to the end of the Slurm job (SLURM_JOB_END_TIME), may not
 * be enough for what the ranks do between two looks and for a checkpoint. The first time of which this can be asked is
 * after the first step: a run that is started again and again always gets on. */
typedef struct rf_stop {
  rf_mesh *mesh;          /* lent; NULL: alone */
  double over[2];         /* of rf_clock_seconds: max_minutes, the job; infinity: never */
  double write_seconds;   /* that a checkpoint takes: the caller keeps it up to date */
  double looked_at;       /* the last look; below 0: none yet */
  double longest_seconds; /* between two looks */
  int reason;             /* 0: go on */
} rf_stop;

/* Seconds from `now` to the end of the Slurm job that the environment names; infinity where it names none, and with a
 * warning where that cannot be this one's. started: when the process was, as now, in seconds since 1970. group_job: the
 * job whose control group this is; 0: not known. */
double rf_stop_job_seconds(double started, double now, long long group_job);

/* max_minutes: from the start of the process; 0: no such limit. */
void rf_stop_start(rf_mesh *mesh, double max_minutes, rf_stop *stop);

/* Called by all ranks. Fills stop->reason, the same on all of them; what was found once stays. One number a rank
 * travels. */
rf_status rf_stop_look(rf_stop *stop);
/* The time since the last look was spent on what has its own measure, such as a checkpoint. */
void rf_stop_skip(rf_stop *stop);

/* "SIGTERM", "training.max_minutes": what it was, once there is a reason. */
const char *rf_stop_reason(const rf_stop *stop);

#endif
