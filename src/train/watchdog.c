#include "train/watchdog.h"
#include "base/clock.h"
#include "base/process.h"
#include "base/text.h"
#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* Ranks start a step at nearly the same time; so much later all have spoken, and the first that ends, with which the
 * launcher ends the others, cuts nobody short. */
enum { SECONDS_TO_SPEAK = 2 };

/* The clock is looked at so often. Where more time than that has passed beyond the moment of the next look, the process
 * was stopped (Ctrl-Z, a suspended job), and what it stood still for is not the step's. */
static const double look_every = 0.5;

struct rf_watchdog {
  const rf_mesh *mesh; /* lent */
  double limit;
  char host[RF_HOST_NAME];
  pthread_t thread;
  pthread_mutex_t lock; /* of what follows */
  pthread_cond_t changed;
  bool stopped, watching;
  int64_t step;
  double since; /* of rf_clock_seconds */
  double next;  /* when the clock is looked at next, at the latest */
  double given; /* the limit as it was given, of which `limit` is made as soon as a step has ended */
  double longest;
};

double rf_watchdog_limit(double limit, double longest) {
  static const double least = 1800, times = 10;
  if (!isnan(limit)) return limit;
  return longest > 0 ? fmax(least, times * longest) : times * least;
}

static void say_hang(const rf_watchdog *w) {
  double waited;
  char line[512], doing[160] = "it does not wait for other ranks";
  const char *what = rf_mesh_waiting_for(w->mesh, &waited);
  if (waited >= 0) (void)rf_text_print(doing, sizeof doing, "it has waited %.1f s for %s", waited, what);
  const int length =
      rf_text_print(line, sizeof line, "error: rank %d on %s: step %lld exceeds training.step_timeout = %g s; %s\n",
                    rf_mesh_rank(w->mesh), w->host, (long long)w->step, w->limit, doing);
  /* at once and past the log, which belongs to the main thread */
  if (write(STDERR_FILENO, line, (size_t)length) < 0) return;
}

static void end_process(const rf_watchdog *w) {
  say_hang(w);
  (void)sleep(SECONDS_TO_SPEAK);
  _exit(RF_FAILED);
}

/* Until something changes, but at most so many seconds. */
static void wait_for_change(rf_watchdog *w, double seconds) {
  struct timespec until;
  (void)clock_gettime(CLOCK_MONOTONIC, &until);
  const double whole = (double)(long)seconds;
  until.tv_sec += (time_t)whole;
  until.tv_nsec += (long)((seconds - whole) * 1e9);
  if (until.tv_nsec >= 1000000000L) {
    until.tv_nsec -= 1000000000L;
    until.tv_sec++;
  }
  (void)pthread_cond_timedwait(&w->changed, &w->lock, &until);
}

/* Whichever thread comes first after a stop: the watchdog's own, or the main one, whose step has ended. */
static void forgive_stop(rf_watchdog *w, double now) {
  const double late = now - w->next;
  if (late > look_every) w->since += late;
}

static void *watch_steps(void *argument) {
  rf_watchdog *w = argument;
  (void)pthread_mutex_lock(&w->lock);
  while (!w->stopped) {
    if (!w->watching) {
      (void)pthread_cond_wait(&w->changed, &w->lock);
      continue;
    }
    const double now = rf_clock_seconds();
    forgive_stop(w, now);
    const double left = w->since + w->limit - now;
    if (left <= 0) end_process(w);
    w->next = now + fmin(left, look_every);
    wait_for_change(w, w->next - now);
  }
  (void)pthread_mutex_unlock(&w->lock);
  return NULL;
}

static void free_watchdog(rf_watchdog *w) {
  (void)pthread_cond_destroy(&w->changed);
  (void)pthread_mutex_destroy(&w->lock);
  free(w);
}

rf_status rf_watchdog_start(const rf_mesh *mesh, double limit, rf_watchdog **watchdog) {
  *watchdog = NULL;
  if (limit <= 0) return RF_OK;
  rf_watchdog *w = calloc(1, sizeof *w);
  if (!w) return rf_fail(RF_FAILED, "watchdog: out of memory");
  w->mesh = mesh;
  w->given = limit;
  w->limit = rf_watchdog_limit(limit, 0);
  (void)rf_process_host(w->host);
  pthread_condattr_t clock;
  (void)pthread_condattr_init(&clock);
  (void)pthread_condattr_setclock(&clock, CLOCK_MONOTONIC);
  (void)pthread_cond_init(&w->changed, &clock);
  (void)pthread_condattr_destroy(&clock);
  (void)pthread_mutex_init(&w->lock, NULL);
  /* Signals are the main thread's. */
  sigset_t all, before;
  (void)sigfillset(&all);
  (void)pthread_sigmask(SIG_SETMASK, &all, &before);
  const int code = pthread_create(&w->thread, NULL, watch_steps, w);
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  if (code != 0) {
    free_watchdog(w);
    return rf_fail(RF_FAILED, "training.step_timeout: no thread can be started: %s", strerror(code));
  }
  *watchdog = w;
  return RF_OK;
}

static void change_watch(rf_watchdog *w, bool watching, bool stopped, int64_t step) {
  (void)pthread_mutex_lock(&w->lock);
  const double now = rf_clock_seconds();
  if (w->watching) {
    forgive_stop(w, now);
    w->longest = fmax(w->longest, now - w->since);
  }
  w->limit = rf_watchdog_limit(w->given, w->longest);
  w->watching = watching;
  w->stopped = stopped;
  w->step = step;
  w->since = now;
  w->next = now + look_every;
  (void)pthread_cond_signal(&w->changed);
  (void)pthread_mutex_unlock(&w->lock);
}

void rf_watchdog_watch(rf_watchdog *watchdog, int64_t step) {
  if (watchdog) change_watch(watchdog, true, false, step);
}

void rf_watchdog_rest(rf_watchdog *watchdog) {
  if (watchdog) change_watch(watchdog, false, false, 0);
}

double rf_watchdog_longest(rf_watchdog *watchdog) {
  (void)pthread_mutex_lock(&watchdog->lock);
  const double longest = watchdog->longest;
  (void)pthread_mutex_unlock(&watchdog->lock);
  return longest;
}

void rf_watchdog_stop(rf_watchdog *watchdog) {
  if (!watchdog) return;
  change_watch(watchdog, false, true, 0);
  (void)pthread_join(watchdog->thread, NULL);
  free_watchdog(watchdog);
}
