/* The state of a run that goes on: which checkpoints there are, and one of them into the model and the optimizer.
 *
 *   rank 0    lists RUN/checkpoints | opens step 30: damaged | opens step 20 | loads its part
 *   rank r    learns the steps      | opens step 30: whole   | opens step 20 | loads its part
 *                                   ^ survey: passed over    ^ survey        ^ survey
 *
 * Whether a checkpoint is used is decided by all ranks together, after each of them has checked every block that it
 * needs. What one of them found is the finding of all (comm/survey.h), and ends nothing. */
#ifndef RF_TRAIN_RESUME_H
#define RF_TRAIN_RESUME_H

#include "comm/survey.h"
#include "reformer/checkpoint.h"
#include "train/step.h"

/* Called by all ranks: rank 0 looks for checkpoints in `folder`, and all get their steps, newest first. Free *steps.
 * A folder that is not there has none. */
rf_status rf_resume_list(rf_mesh *mesh, const char *folder, int64_t *n, int64_t **steps);

/* Called by all ranks with the same path. *checkpoint: NULL where finding->status is not RF_OK. RF_FAILED, there and
 * below, need be no damage: memory that is short, or a disk that does not answer. */
rf_status rf_resume_open(rf_mesh *mesh, const char *path, rf_checkpoint **checkpoint, rf_finding *finding);

/* Whether the trainer's optimizer can go on from a checkpoint: RF_BAD_DATA, on all ranks, where it holds another one's
 * state. */
rf_status rf_resume_fits(const rf_checkpoint_info *info, const rf_trainer *trainer);

/* Called by all ranks, with a checkpoint that fits. After step 0 the optimizer starts anew: of it nothing is read (an
 * imported checkpoint has none). Where finding->status is not RF_OK the trainer's state may be filled in part. */
rf_status rf_resume_load(rf_checkpoint *checkpoint, rf_trainer *trainer, rf_finding *finding);

/* By rank 0, which holds the lock: gives the checkpoints of `folder` of later steps than `step` names that nobody goes
 * on from (RF_MARK_SUPERSEDED). They would be the newest of a run that has gone back before them. */
rf_status rf_resume_supersede(const char *folder, int64_t step, const char *attempt);

#endif
