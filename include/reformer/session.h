/* A training run in a program of one's own: data, model and optimizer of a configuration, on the ranks of a mesh.
 *
 *   rf_config_load -> rf_session_create [-> rf_session_load] -> rf_session_step ... -> rf_session_evaluate
 *                                                                                   -> rf_session_save -> destroy
 *
 * It is what reformer train is made of, without the run's folder: the same configuration gives the same losses, to the
 * last bit. Collective are create, step, evaluate, save and load: called by all ranks, in the same order, from the main
 * thread. All ranks return the same status with the same rf_error_message(). After a failure to create, to step or to
 * evaluate the mesh is of no more use (rf_mesh_has_failed). After a failure to save or to load, and after a call that
 * is refused, with which nothing is done, it is as good as before.
 *
 * Ranks that are in different ones of them, or in those of different sessions, all return RF_FAILED, and the message
 * says which rank calls what; after that, too, the mesh is of no more use. A step takes no message for it: where others
 * step, that is after a second or more. Not told apart are collective functions of the parts (rf_model_evaluate and the
 * like), a rank that has finished MPI, and folders that differ, of which messages name rank 0's. NULL where a pointer
 * is needed is refused with RF_BAD_CONFIG; what returns no status then returns 0 or NULL. */
#ifndef REFORMER_SESSION_H
#define REFORMER_SESSION_H

#include "reformer/config.h"
#include "reformer/dataset.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/mesh.h"
#include "reformer/model.h"
#include "reformer/step.h"
#include <stdint.h>

RF_API_BEGIN

typedef struct rf_session rf_session;

/* Before step 1: opens the data, makes the model and draws its parameters from training.seed. config: of
 * rf_config_load or rf_config_parse, or filled in by the program; copied, checked again, and what is `auto` in it
 * resolved; the same on all ranks but for data.path, whose bytes must be the same. mesh: lent, outlives the session;
 * arranged as the configuration says where it is not, unless another session or a model lives on it, whose arrangement
 * stays: another one is refused with RF_BAD_CONFIG, and the mesh is as good as before; NULL: this process alone.
 * rf_threads_start comes before.
 *
 * RF_BAD_CONFIG where a value is not allowed, does not fit the others, the ranks or their memory, cannot be trained, is
 * another than rank 0's (the message names rank and key), or where a rank has another build of the library than rank 0;
 * RF_BAD_DATA where data.path is missing or does not fit. Ranks are warned about that have another processor than rank
 * 0, another level of it, or another choice of the libraries. Builds and processors are compared, and warned about, by
 * a mesh's first session alone.
 * *session: the caller destroys it; NULL after a failure. */
rf_status rf_session_create(const rf_config *config, rf_mesh *mesh, rf_session **session);
/* NULL is fine; not collective. Where the mesh has failed, on several ranks, memory stays until the process ends, as
 * messages may be under way. */
void rf_session_destroy(rf_session *session);

/* The next step: a batch of training.batch sequences forwards and backwards, and an update. Refused with RF_BAD_CONFIG
 * where all training.steps are done, which the schedule counts on: to go on, save, and load that into a session of more
 * steps. */
rf_status rf_session_step(rf_session *session, rf_step_result *result);
int64_t rf_session_steps_done(const rf_session *session); /* the loaded checkpoint's, and those since */

/* The loss over a split, without dropout: sums of all ranks, counted 0 where the split is empty (rf_loss_mean). At most
 * training.eval_batches batches. Changes nothing but what the next rf_session_save says of the validation loss. Another
 * split than those of rf_split is refused with RF_BAD_CONFIG. */
rf_status rf_session_evaluate(rf_session *session, rf_split split, rf_loss *loss);

/* Writes the state, parameters and optimizer, as the checkpoint `folder` (reformer/checkpoint.h), which appears as a
 * whole; all ranks must reach it. The commands eval, inspect, export and train --resume read it. A checkpoint of that
 * name is replaced once the new one is whole, and what killed saves of that name left is removed. One whose COMMIT is
 * damaged, or whose files are not all there at their sizes, stays beside it; other damage is not looked for. An empty
 * folder is taken; a folder of anything else, a path within a checkpoint, and one that ends in no name (".") are
 * refused with RF_BAD_CONFIG, and all stays as it is. */
rf_status rf_session_save(rf_session *session, const char *folder);

/* Goes on from a checkpoint, whatever ranks and precision it was written with: of rf_session_save, reformer train or
 * reformer import. After step 0 the optimizer starts anew. Every block that is read is checked. Data that have changed
 * since, and another machine, are warned about.
 *
 * RF_BAD_DATA where sections model, lsh, local or full are others than the session's, where it holds the state of
 * another optimizer, or where it is not whole: the session is then as it was. Where damage, or a disk that does not
 * answer (RF_FAILED), shows among the numbers, some of them may have been taken: step, evaluate and save are then
 * refused with RF_BAD_DATA until a checkpoint has been loaded. */
rf_status rf_session_load(rf_session *session, const char *folder);

/* All lent. The model: for what reformer/model.h can do with a batch, e.g. logits. */
const rf_config *rf_session_config(const rf_session *session);
const rf_dataset *rf_session_dataset(const rf_session *session);
rf_model *rf_session_model(rf_session *session);

RF_API_END

#endif
