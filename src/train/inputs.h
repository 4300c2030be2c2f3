/* What a run reads besides its configuration and its checkpoint: the file of data.path, and that of lsh.rotations.
 * Every rank reads them by itself, and hosts may have different ones under the same name. */
#ifndef RF_TRAIN_INPUTS_H
#define RF_TRAIN_INPUTS_H

#include "comm/mesh.h"
#include "reformer/dataset.h"

/* Called by all ranks; they do not agree. RF_BAD_DATA on a rank whose files are not those of rank 0: the message says
 * in what, and names the host of rank 0. identity: of the data. */
rf_status rf_inputs_compare(const rf_config *config, rf_mesh *mesh, const rf_dataset *dataset,
                            rf_data_identity *identity);

/* Warns where the data are no longer what they were when the checkpoint of step `step` was saved. */
rf_status rf_inputs_warn(const rf_config *config, const rf_dataset *dataset, const rf_data_identity *before,
                         int64_t step);

#endif
