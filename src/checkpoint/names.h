/* Names in a run's folder of checkpoints, which this file alone writes, and reads (checkpoint/leftover.c knows the two
 * of them that may stand behind a name of any kind):
 *
 *   step-NNNNNNNN                      the state after that step: as many digits as it has, and at least eight
 *   step-NNNNNNNN.tmp-ATTEMPT          a checkpoint on its way there
 *   step-NNNNNNNN.deleting             one on its way out
 *   step-NNNNNNNN.damaged-ATTEMPT      what bore the name before
 *   NAME.replaced-ATTEMPT              one that a program has saved anew, on its way out
 *   step-NNNNNNNN.superseded-ATTEMPT   one that a run has gone back before */
#ifndef RF_CHECKPOINT_NAMES_H
#define RF_CHECKPOINT_NAMES_H

#include "reformer/config.h"
#include "reformer/error.h"
#include <stdbool.h>

enum { RF_STEP_NAME = 32 };

#define RF_MARK_TEMPORARY ".tmp-"
#define RF_MARK_DELETING ".deleting"
#define RF_MARK_DAMAGED ".damaged-"
#define RF_MARK_REPLACED ".replaced-"
#define RF_MARK_SUPERSEDED ".superseded-"

/* "step-NNNNNNNN" into name, which is returned. */
const char *rf_step_name(int64_t step, char name[RF_STEP_NAME]);
/* "FOLDER/step-NNNNNNNN". RF_FAILED where it does not fit. */
rf_status rf_step_path(const char *folder, int64_t step, char path[RF_MAX_PATH]);

/* The step of a name that begins with a step's, and what follows that: "", or a mark. NULL: it does not. errno stays.
 */
const char *rf_step_read(const char *name, int64_t *step);
/* The step whose name a path ends with, slashes left out; -1: it ends otherwise. */
int64_t rf_step_of_path(const char *path);
/* What an attempt left half written or half removed, and the step of which: only by a name that is written exactly so,
 * as others may be somebody's. */
bool rf_step_is_unfinished(const char *name, int64_t *step);
/* What was replaced by a checkpoint of that step, and goes once that is whole. */
bool rf_step_is_replaced(const char *name, int64_t *step);

/* Whether what follows a name is the mark, an attempt, and no more. */
bool rf_name_is_marked(const char *rest, const char *mark);

/* PATH, mark and attempt ("" after RF_MARK_DELETING), into beside. RF_FAILED where it does not fit. */
rf_status rf_name_beside(const char *path, const char *mark, const char *attempt, char beside[RF_MAX_PATH]);

#endif
