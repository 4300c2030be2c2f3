/* Rotations from an HDF5 file: data sets rotations/0, rotations/1, .. of shape (H, d_head, rounds, columns), one for
 * each LSH layer in the order of the layers. Any number type; other data in the file is left alone. */
#ifndef RF_MODEL_ROTATIONS_FILE_H
#define RF_MODEL_ROTATIONS_FILE_H

#include "model/blocks.h"

/* Reads the rotations of every LSH layer into the blocks. RF_BAD_DATA where the file or a data set is missing, has
 * another shape, or a value is not finite in `real`: the message names file, data set, what was found and what fits. */
rf_status rf_rotations_file_load(const char *path, rf_blocks *blocks);

#endif
