#include "session/threads.h"
#include "base/cores.h"
#include "base/every_processor.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "comm/host.h"
#include <cblas.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_THREADS = 1 << 16 };

static int larger(int a, int b) { return a > b ? a : b; }

int rf_threads_fitting(const rf_threads_room *room) {
  int threads = larger(room->cores / room->sharers, 1);
  const double granted = ceil(room->quota) / room->quota_sharers;
  if (granted < threads) threads = larger((int)granted, 1);
  return threads;
}

int rf_threads_read(const char *text) {
  int64_t number = 0;
  const char *end = text ? rf_text_whole(text, &number) : NULL;
  if (number < 1 || number > MOST_THREADS) return 0;
  end += strspn(end, " \t");
  return *end == '\0' || *end == ',' ? (int)number : 0;
}

static void warn_of_places(const rf_threads_room *room) {
  if (rf_cores_are_places() && room->sharers > room->cores)
    rf_log_warn(
        "OMP_PROC_BIND or OMP_PLACES puts %d ranks on %d core%s: unset them, or bind ranks to cores of their own",
        room->sharers, room->cores, room->cores == 1 ? "" : "s");
}

static void warn_of_crowd(int threads, const rf_threads_room *room) {
  if (threads * room->sharers > room->cores)
    rf_log_warn("OMP_NUM_THREADS is %d, but %d rank%s %d core%s: unset it, or bind ranks to cores of their own",
                threads, room->sharers, room->sharers == 1 ? " has" : "s share", room->cores,
                room->cores == 1 ? "" : "s");
  else if (threads * room->quota_sharers > ceil(room->quota))
    rf_log_warn("OMP_NUM_THREADS is %d, but the CPU quota of this control group (cpu.max) is %.3g cores for %d rank%s: "
                "unset it, or raise the quota",
                threads, room->quota, room->quota_sharers, room->quota_sharers == 1 ? "" : "s");
}

/* A BLAS that started threads of its own inside each of these would run at a third of the speed. The number is set
 * last, as an OpenBLAS that was built with OpenMP changes it. */
static void set_number(int threads) {
  openblas_set_num_threads(1);
  omp_set_dynamic(0);
  if (omp_get_max_active_levels() < 1) omp_set_max_active_levels(1);
  omp_set_num_threads(threads);
}

/* OpenMP counts places from the first in every rank: ranks that have the same ones would all run on the first. */
static void part_places(const rf_cores *cores, const rf_host_share *share) {
  rf_cores own = *cores;
  if (share->sharers == 1 || !rf_cores_are_places()) return;
  if (share->alike) rf_cores_cut(cores, share->turn, share->sharers, &own);
  rf_cores_let_threads(&own);
}

void rf_threads_start(const rf_mesh *mesh) {
  rf_cores cores;
  uint64_t group;
  const int limit = omp_get_thread_limit();
  const rf_host_share share = rf_host_share_of(mesh);
  rf_cores_of_process(&cores);
  const rf_threads_room room = {.cores = rf_cores_count(&cores),
                                .sharers = share.sharers,
                                .quota = rf_process_cpu_quota("", &group),
                                .quota_sharers = share.quota_sharers};
  int threads = rf_threads_read(getenv("OMP_NUM_THREADS")); /* OpenMP cannot be asked: OpenBLAS sets its number, too */
  if (mesh) warn_of_places(&room);
  if (threads > 0 && mesh) warn_of_crowd(threads, &room);
  if (threads == 0) threads = rf_threads_fitting(&room);
  set_number(threads < limit ? threads : limit);
  part_places(&cores, &share);
}
