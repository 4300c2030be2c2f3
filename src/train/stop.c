#include "train/stop.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/process.h"
#include "base/text.h"
#include "comm/collective.h"
#include <assert.h>
#include <errno.h>
#include <math.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* Reasons; others are places in the table of signals, behind them. */
enum { MINUTES_OVER = 1, JOB_OVER = 2, FIRST_SIGNAL = 3 };
_Static_assert(ATOMIC_LLONG_LOCK_FREE == 2 && ATOMIC_INT_LOCK_FREE == 2, "a handler may not wait");

/* What is a wish to stop, and whether hearing it again means: at once. A terminal that goes away says so twice, and
 * the kernel repeats SIGXCPU every second. */
static const struct {
  int number;
  const char *name;
  bool twice_ends;
} wishes[] = {{SIGTERM, "SIGTERM", true}, {SIGINT, "SIGINT", true},  {SIGUSR1, "SIGUSR1", true},
              {SIGUSR2, "SIGUSR2", true}, {SIGHUP, "SIGHUP", false}, {SIGXCPU, "SIGXCPU", false}};
enum { WISHES = sizeof wishes / sizeof *wishes };

/* What must be left: so many times the longest step and write, and a few seconds for everything else. */
static const double margin = 1.5, spare_seconds = 2;
static const long long same_request_nanoseconds = 1000000000LL;

/* Signals come to the process: this is all they leave. */
static atomic_int heard;               /* the reason that the first signal is; 0: none */
static atomic_llong heard_nanoseconds; /* when */

static void hear_signal(int signal_number) {
  const int error = errno;
  struct timespec now;
  (void)clock_gettime(CLOCK_MONOTONIC, &now);
  const long long at = (long long)now.tv_sec * 1000000000LL + now.tv_nsec + 1;
  long long first = 0;
  int wish = 0;
  while (wish + 1 < WISHES && wishes[wish].number != signal_number) wish++;
  if (atomic_compare_exchange_strong(&heard_nanoseconds, &first, at)) {
    atomic_store(&heard, FIRST_SIGNAL + wish);
  } else if (at - first > same_request_nanoseconds && wishes[wish].twice_ends) {
    (void)signal(signal_number, SIG_DFL);
    (void)raise(signal_number); /* comes when this returns */
  }
  errno = error;
}

rf_status rf_stop_listen(void) {
  struct sigaction action = {.sa_handler = hear_signal, .sa_flags = SA_RESTART}, before;
  (void)sigemptyset(&action.sa_mask);
  for (int i = 0; i < WISHES; i++) (void)sigaddset(&action.sa_mask, wishes[i].number);
  for (int i = 0; i < WISHES; i++) {
    /* nohup, or a shell that starts a job in the background of a script, wants it ignored */
    const bool ignored = sigaction(wishes[i].number, NULL, &before) == 0 && before.sa_handler == SIG_IGN;
    if (!ignored && sigaction(wishes[i].number, &action, NULL) != 0)
      return rf_fail(RF_FAILED, "%s cannot be waited for: %s", wishes[i].name, strerror(errno));
  }
  return RF_OK;
}

/* The number of the Slurm job whose control group this process is in ("/slurm/uid_0/job_12/step_0"); 0: in none. */
static int64_t job_of_group(void) {
  char line[1024];
  int64_t job = 0;
  FILE *file = fopen("/proc/self/cgroup", "re");
  while (file && job == 0 && fgets(line, sizeof line, file)) {
    const char *name = strstr(line, "slurm") ? strstr(line, "/job_") : NULL;
    if (name) (void)rf_text_whole(name + strlen("/job_"), &job);
  }
  if (file) (void)fclose(file);
  return job;
}

/* A time or a job's number, which are above 0; 0: it is none. */
static int64_t positive_of(const char *text) {
  int64_t number = 0;
  const char *end = rf_text_whole(text, &number);
  return end && *end == '\0' && number > 0 ? number : 0;
}

double rf_stop_job_seconds(double started, double now, long long group_job) {
  const char *text = getenv("SLURM_JOB_END_TIME"), *id = getenv("SLURM_JOB_ID");
  if (!text) return INFINITY;
  const int64_t at = positive_of(text), job = id ? positive_of(id) : 0;
  const char *why = NULL;
  if (at == 0)
    why = "is no time in seconds since 1970";
  else if ((double)at <= started)
    why = "was over when this process started: it is an older job's";
  else if (job != 0 && group_job != 0 && job != group_job)
    why = "belongs to another job than this process's, by its control group";
  if (!why) return (double)at - now;
  rf_log_warn("SLURM_JOB_END_TIME: found '%.64s', which %s; it is ignored", text, why);
  return INFINITY;
}

void rf_stop_start(rf_mesh *mesh, double max_minutes, rf_stop *stop) {
  const double now = rf_clock_seconds(), age = rf_process_age(), date = (double)time(NULL);
  const double job_seconds = rf_stop_job_seconds(date - age, date, job_of_group());
  *stop = (rf_stop){.mesh = mesh, .over = {INFINITY, now + job_seconds}, .looked_at = -1};
  if (max_minutes > 0) stop->over[0] = now - age + 60 * max_minutes;
}

/* This rank's own reason. */
static int find_reason(const rf_stop *stop, double now) {
  const int signal_reason = atomic_load(&heard);
  if (signal_reason != 0) return signal_reason;
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
  default: return wishes[stop->reason - FIRST_SIGNAL].name;
  }
}
