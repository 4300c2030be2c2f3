#include "train/stop.h"
#include "base/clock.h"
#include "base/process.h"
#include "comm/collective.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Reasons; others are numbers of signals. */
enum { MINUTES_OVER = 1, JOB_OVER = 2 };
_Static_assert(SIGTERM > JOB_OVER && SIGUSR1 > JOB_OVER, "reasons must differ");
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "a handler may not wait");

/* What must be left: so many times the longest step and write, and a few seconds for everything else. */
static const double margin = 1.5, spare_seconds = 2;
static const long long same_request_nanoseconds = 1000000000LL;

/* Signals come to the process: this is all they leave. */
static atomic_int heard;               /* the first signal; 0: none */
static atomic_llong heard_nanoseconds; /* when */

static void hear(int signal_number) {
  const int error = errno;
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  const long long at = (long long)now.tv_sec * 1000000000LL + now.tv_nsec + 1;
  long long first = 0;
  if (atomic_compare_exchange_strong(&heard_nanoseconds, &first, at)) {
    atomic_store(&heard, signal_number);
  } else if (at - first > same_request_nanoseconds) {
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number); /* comes when this returns */
  }
  errno = error;
}

rf_status rf_stop_listen(void) {
  static const int signals[] = {SIGTERM, SIGUSR1};
  struct sigaction action = {.sa_handler = hear, .sa_flags = SA_RESTART};
  (void)sigemptyset(&action.sa_mask);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) (void)sigaddset(&action.sa_mask, signals[i]);
  for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
    if (sigaction(signals[i], &action, NULL) != 0)
      return rf_fail(RF_FAILED, "signal %d cannot be waited for: %s", signals[i], strerror(errno));
  return RF_OK;
}

/* Seconds until the Slurm job ends; infinity where nothing says. */
static double job_seconds_left(void) {
  const char *text = getenv("SLURM_JOB_END_TIME");
  if (!text) return INFINITY;
  char *end;
  errno = 0;
  const long long at = strtoll(text, &end, 10);
  if (errno != 0 || end == text || *end != '\0' || at <= 0) return INFINITY;
  return difftime((time_t)at, time(NULL));
}

void rf_stop_start(rf_mesh *mesh, double max_minutes, rf_stop *stop) {
  const double now = rf_clock_seconds();
  *stop = (rf_stop){.mesh = mesh, .over = {INFINITY, now + job_seconds_left()}, .looked_at = -1};
  if (max_minutes > 0) stop->over[0] = now - rf_process_age() + 60 * max_minutes;
}

/* This rank's own reason. */
static int find_reason(const rf_stop *stop, double now) {
  const int signal_number = atomic_load(&heard);
  if (signal_number != 0) return signal_number;
  if (stop->longest_seconds <= 0) return 0; /* no step yet */
  const double needed = margin * (stop->longest_seconds + stop->write_seconds) + spare_seconds;
  if (now + needed > stop->over[0]) return MINUTES_OVER;
  return now + needed > stop->over[1] ? JOB_OVER : 0;
}

rf_status rf_stop_look(rf_stop *stop) {
  if (stop->reason != 0) return RF_OK;
  const double now = rf_clock_seconds();
  if (stop->looked_at >= 0) stop->longest_seconds = fmax(stop->longest_seconds, now - stop->looked_at);
  stop->looked_at = now;
  double reason = find_reason(stop, now);
  RF_TRY(rf_max_doubles(stop->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &reason));
  stop->reason = (int)reason;
  return RF_OK;
}

void rf_stop_skip(rf_stop *stop) { stop->looked_at = rf_clock_seconds(); }

const char *rf_stop_reason(const rf_stop *stop) {
  assert(stop->reason != 0);
  switch (stop->reason) {
  case MINUTES_OVER: return "training.max_minutes";
  case JOB_OVER: return "the end of the Slurm job (SLURM_JOB_END_TIME)";
  case SIGTERM: return "SIGTERM";
  default: return "SIGUSR1";
  }
}
