/* The stacks of the threads that compute. */
#ifndef RF_KERNEL_THREAD_STACKS_H
#define RF_KERNEL_THREAD_STACKS_H

#include "reformer/error.h"

/* RF_BAD_CONFIG where one is too small for a matrix product's panels (kernel/gemm.c): it would end in SIGSEGV. Starts
 * the threads of OpenMP, after their number was set. */
rf_status rf_thread_stacks_check(void);

#endif
