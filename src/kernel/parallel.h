/* What loops over independent tiles need to know about threads. */
#ifndef RF_KERNEL_PARALLEL_H
#define RF_KERNEL_PARALLEL_H

#include <omp.h>

/* Tokens of a tile of a token product. Fixed and aligned to token 0, so that no result depends on the number of
 * threads. */
enum { RF_TILE = 128 };

static inline int rf_threads(void) { return omp_get_max_threads(); }
static inline int rf_thread(void) { return omp_get_thread_num(); }

#endif
