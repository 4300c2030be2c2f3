/* How many threads a rank computes with, and where they run. */
#ifndef REFORMER_THREADS_H
#define REFORMER_THREADS_H

#include "reformer/linkage.h"
#include "reformer/mesh.h"

RF_API_BEGIN

/* Call once the mesh is open, before anything computes; not collective. This rank gets OMP_NUM_THREADS threads, else
 * its share of the cores that it may run on, or of a CPU quota where that is less, and OpenBLAS runs on one thread
 * within each. omp_set_num_threads() may change the number later. Results do not depend on it. Warns of an
 * OMP_NUM_THREADS that does not fit, unless mesh is NULL: this process alone. */
void rf_threads_start(const rf_mesh *mesh);

RF_API_END

#endif
