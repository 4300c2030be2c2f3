/* Checkpoints: a folder that exists whole or not at all, of which nothing is believed that does not match its hashes.
 *
 *   step-00001000/
 *     manifest.h5                  configuration, step, seed, mesh, tables of tensors and segments, and one virtual
 *                                  data set per tensor with the tensor's own shape, for whoever reads with HDF5
 *     shard-00000-of-00008.h5 ...  what each rank held: contiguous data sets of flat numbers
 *     COMMIT                       text, written last: size and block hashes of every file above, and its own hash
 *
 * The format is in docs/checkpoint.md. Numbers move between any number of ranks and between the float and the double
 * build: a segment is elements [first, first + count) of a named array, and a reader copies what overlaps. */
#ifndef REFORMER_CHECKPOINT_H
#define REFORMER_CHECKPOINT_H

#include "reformer/checkpoint_info.h"
#include "reformer/error.h"
#include "reformer/linkage.h"
#include "reformer/state.h"
#include <stdbool.h>
#include <stdint.h>

RF_API_BEGIN

/* Writes a checkpoint as `folder`, whose parent folder is made where it is missing. It is written beside it as
 * FOLDER.tmp-ATTEMPT and takes the name only when every byte is on the disk. A checkpoint of that name is replaced: it
 * is there until the new one is, and removed then, as is what killed attempts at FOLDER left. One whose COMMIT is
 * damaged, or whose files are not all there at their sizes, is kept as FOLDER.damaged-ATTEMPT, with a warning; their
 * bytes are not read. What may be anything else is left as it is, and refused with RF_BAD_CONFIG: a folder that holds
 * other files than a checkpoint's, a file, a symbolic link; so is a path within a checkpoint, or without a name at its
 * end ("."). layout, state: lent, state as of rf_state_create.
 *
 * Called by all ranks of the mesh, with the same folder, which all can reach: each writes what it holds into a shard of
 * its own, rank 0 the rest. mesh NULL: this process alone. RF_FAILED, with the same message on all ranks, where one of
 * them cannot write, or holds a number that is not finite; what was there before is then as it was. */
rf_status rf_checkpoint_save(const char *folder, struct rf_mesh *mesh, const rf_checkpoint_header *header,
                             const rf_layout *layout, const rf_state *state);

typedef struct rf_checkpoint rf_checkpoint;

/* Opens a checkpoint folder: reads COMMIT, then the manifest, of which nothing is looked at before its bytes match. Of
 * the shards only the presence and the size are looked at. RF_BAD_DATA where it is missing, damaged, or of a newer
 * version. */
rf_status rf_checkpoint_open(const char *folder, rf_checkpoint **checkpoint);
void rf_checkpoint_close(rf_checkpoint *checkpoint);
bool rf_checkpoint_is_valid(const rf_checkpoint *checkpoint);
const rf_checkpoint_info *rf_checkpoint_info_of(const rf_checkpoint *checkpoint);

/* Fills the wanted arrays, whatever ranks and precision they were saved with, reading the blocks it needs and no
 * others; every block is checked before a number is taken from it. layout: what the arrays' blocks and tensors
 * are; names and shapes must be those of the checkpoint. RF_BAD_DATA where they are not, where an array is not in the
 * checkpoint, or where a block that is needed is damaged: the message names the file, the bytes and what lies there.
 * Arrays may then be filled in part. */
rf_status rf_checkpoint_load(rf_checkpoint *checkpoint, const rf_layout *layout, int n_arrays,
                             const rf_state_array *arrays);
/* The parameters of a store. */
rf_status rf_checkpoint_load_parameters(rf_checkpoint *checkpoint, rf_store *store);

/* Reads and checks every byte of every file, without HDF5 but for a manifest that matched. say (may be NULL) is called
 * with one line for each run of damaged bytes. RF_BAD_DATA where anything is damaged, with the first as the message.
 * bytes (may be NULL): how many were checked. */
typedef void (*rf_damage_say)(void *context, const char *line);
rf_status rf_checkpoint_verify(const char *folder, rf_damage_say say, void *context, int64_t *bytes);

RF_API_END

#endif
