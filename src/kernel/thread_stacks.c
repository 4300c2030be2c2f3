#include "kernel/thread_stacks.h"
#include "kernel/gemm.h"
#include "kernel/parallel.h"
#include "reformer/real.h"
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* A product's, and what OpenMP, OpenBLAS and MPI need around it. */
enum { LEAST_KIB = (int)sizeof(real) * RF_GEMM_STACK / 1024 + 256 };

/* Of this thread, KiB; SIZE_MAX where the system does not tell. */
static size_t own_stack(void) {
  pthread_attr_t about;
  size_t bytes = SIZE_MAX;
  if (pthread_getattr_np(pthread_self(), &about) != 0) return SIZE_MAX;
  if (pthread_attr_getstacksize(&about, &bytes) != 0) bytes = SIZE_MAX;
  (void)pthread_attr_destroy(&about);
  return bytes / 1024;
}

rf_status rf_thread_stacks_check(void) {
  size_t least = SIZE_MAX;
  const size_t own = own_stack();
#pragma omp parallel reduction(min : least)
  if (rf_thread() > 0) least = own_stack();
  const bool others = own >= LEAST_KIB;
  if (others && least >= LEAST_KIB) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "the stack of %s has %zu KiB; allowed: at least %d KiB, %s",
                 others ? "a thread of OpenMP" : "the main thread", others ? least : own, LEAST_KIB,
                 others ? "by unsetting OMP_STACKSIZE (GOMP_STACKSIZE), or setting it to 2M" : "by ulimit -s 8192");
}
