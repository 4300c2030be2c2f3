/* What the last bit of a result depends on besides the run itself: the program, the level of the processor that it was
 * compiled for, the processor, and which of their code the libraries of products chose for it. A run says it at its
 * start and writes it into its checkpoints, so that one that goes on elsewhere can say so. */
#ifndef RF_TRAIN_MACHINE_H
#define RF_TRAIN_MACHINE_H

#include "comm/mesh.h"
#include "reformer/checkpoint_info.h"

enum { RF_MAX_PROGRAM = 64 };

/* "program 00b1946ac92492d2 (float)", a hash of its file and of what the library was built from, into program,
 * RF_MAX_PROGRAM bytes, which is returned. It is the same at all levels of x86-64. */
const char *rf_program_describe(char *program);

/* "x86-64-v4, AMD EPYC 9R14, OpenBLAS 0.3.21 Zen, libxsmm cpx" of this rank into processor, RF_MAX_MACHINE bytes, which
 * is returned. */
const char *rf_processor_describe(char *processor);

/* Both, of rank 0, into machine, RF_MAX_MACHINE bytes, on all ranks, which call this. */
rf_status rf_machine_describe(rf_mesh *mesh, char *machine);

/* Called by all ranks, which do not agree: RF_BAD_CONFIG on a rank that has another build of the library than rank 0
 * (version, sources, compiler, precision), or runs another program on it, whose file counts too. They may differ in
 * what they send each other, not only in last bits. */
rf_status rf_library_compare(rf_mesh *mesh);
rf_status rf_program_compare(rf_mesh *mesh);

/* Warns on rank 0 of ranks whose processor, level or libraries' choice is another than rank 0's. Called by all. */
rf_status rf_machine_compare(rf_mesh *mesh);

/* What `reformer --version` tells beyond the version. */
void rf_machine_print(void);

#endif
