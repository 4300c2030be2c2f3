/* A training run in a program of one's own: data, model and optimizer of a configuration, on the ranks of a mesh.
 *
 *   rf_config_load -> rf_session_create [-> rf_session_load] -> rf_session_step ... -> rf_session_evaluate
 *                                                                                   -> rf_session_save -> destroy
 *
 * It is what reformer train is made of, without the run's folder: the same configuration gives the same losses, to the
 * last bit. What takes a session that is not const is collective: called by all ranks, in the same order, from the main
 * thread. All ranks return the same status with the same rf_error_message(). After a failure to create, to step or to
 * evaluate the mesh is of no more use (rf_mesh_has_failed); one to save or to load ends nothing but what it says. */
#ifndef REFORMER_SESSION_H
#define REFORMER_SESSION_H

#include "reformer/config.h"
#include "reformer/dataset.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/mesh.h"
#include "reformer/model.h"
#include <stdbool.h>
#include <stdint.h>

RF_API_BEGIN

typedef struct rf_session rf_session;

/* Before step 1: opens the data, makes the model and draws its parameters from training.seed. config: of
 * rf_config_load or rf_config_parse, copied. mesh: lent, outlives the session; arranged as the configuration says where
 * it is not; NULL: this process alone. rf_threads_start comes before. RF_BAD_CONFIG where it does not fit the ranks or
 * their memory, or is not one that can be trained; RF_BAD_DATA where data.path is missing or does not fit.
 * *session: the caller destroys it; NULL after a failure. */
rf_status rf_session_create(const rf_config *config, rf_mesh *mesh, rf_session **session);
/* NULL is fine. After a failed call on several ranks memory stays until the process ends, as messages may be under
 * way. */
void rf_session_destroy(rf_session *session);

/* What one step was like; the same on all ranks. */
typedef struct rf_step_result {
  rf_loss loss; /* sums over the batch, of all ranks */
  double learning_rate;
  double grad_norm; /* before clipping */
  bool skipped;     /* loss or gradient not finite: parameters and optimizer state are as before */
} rf_step_result;

/* The next step: a batch of training.batch sequences forwards and backwards, and an update. RF_BAD_CONFIG, and nothing
 * done, where all training.steps are done, which the schedule counts on. */
rf_status rf_session_step(rf_session *session, rf_step_result *result);
int64_t rf_session_steps_done(const rf_session *session); /* the loaded checkpoint's, and those since */

/* The loss over a split, without dropout: sums of all ranks, counted 0 where the split is empty (rf_loss_mean). At most
 * training.eval_batches batches. Changes nothing but what the next rf_session_save says of the validation loss. */
rf_status rf_session_evaluate(rf_session *session, rf_split split, rf_loss *loss);

/* Writes the state, parameters and optimizer, as the checkpoint `folder` (reformer/checkpoint.h), which appears as a
 * whole; all ranks must reach it. The commands eval, inspect, export and train --resume read it. */
rf_status rf_session_save(rf_session *session, const char *folder);

/* Goes on from a checkpoint, whatever ranks and precision it was written with: of rf_session_save, reformer train or
 * reformer import. Every block that is read is checked. RF_BAD_DATA where it is damaged, where sections model, lsh,
 * local or full are others than the session's, or where it holds the state of another optimizer; the session is then
 * of no more use. Data that have changed since are warned about. */
rf_status rf_session_load(rf_session *session, const char *folder);

/* All lent. The model: for what reformer/model.h can do with a batch, e.g. logits. */
const rf_config *rf_session_config(const rf_session *session);
const rf_dataset *rf_session_dataset(const rf_session *session);
rf_model *rf_session_model(rf_session *session);

RF_API_END

#endif
