/* What the last bit of a result depends on besides the run itself: the program and the processor. A run says it at its
 * start and writes it into its checkpoints, so that one that goes on elsewhere can say so. */
#ifndef RF_TRAIN_MACHINE_H
#define RF_TRAIN_MACHINE_H

#include "comm/mesh.h"
#include "reformer/checkpoint.h"

enum { RF_MAX_PROGRAM = 64 };

/* "program 00b1946ac92492d2 (float)", a hash of its file, into program, RF_MAX_PROGRAM bytes, which is returned. */
const char *rf_program_describe(char *program);

/* "program 00b1946ac92492d2 (float), AMD EPYC 9R14, OpenBLAS 0.3.21 Zen" into machine, RF_MAX_MACHINE bytes: rank 0's,
 * on all ranks, which call this. *other: the lowest that has another; as many as there are ranks: none. */
rf_status rf_machine_describe(rf_mesh *mesh, char *machine, int *other);

#endif
