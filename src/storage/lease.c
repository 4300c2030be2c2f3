#include "storage/lease.h"
#include "base/clock.h"
#include "reformer/config.h"
#include "storage/files.h"
#include "storage/holder.h"
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { MOST_HOLDERS = 64, ENDING = 16 + RF_ATTEMPT_LENGTH };

struct rf_lease {
  char path[RF_MAX_PATH], own[RF_MAX_PATH]; /* the lock; this one's line while it asks for it */
  char text[RF_MAX_HOLDER], attempt[RF_ATTEMPT_LENGTH + 1];
  rf_lease_times times;
  int file; /* this one's line, under whatever name */
  bool beating;
  pthread_t heart;
  pthread_mutex_t mutex; /* of `stop` */
  pthread_cond_t change;
  bool stop;
};

/* A holder, as found in the folder. */
typedef struct found_holder {
  char path[RF_MAX_PATH], text[RF_MAX_HOLDER], attempt[RF_ATTEMPT_LENGTH + 1];
  struct timespec renewed;
} found_holder;

static rf_status fail_with_errno(const char *path, const char *what) {
  return rf_fail(RF_FAILED, "%s: %s: %s", path, what, strerror(errno));
}

static void path_after(const rf_lease *l, const char *attempt, char path[RF_MAX_PATH]) {
  (void)snprintf(path, RF_MAX_PATH, "%.*s.after-%s", RF_MAX_PATH - ENDING, l->path, attempt);
}

/* Written anew, it bears another time: whoever watches it sees that its holder lives. */
static rf_status renew_line(const rf_lease *l) {
  RF_TRY(rf_file_write(l->file, l->path, 0, l->text, (int64_t)strlen(l->text)));
  return fsync(l->file) == 0 ? RF_OK : fail_with_errno(l->path, "cannot be written to the disk");
}

static rf_status look_at_line(const char *path, found_holder *holder, bool *there) {
  (void)snprintf(holder->path, sizeof holder->path, "%s", path);
  RF_TRY(rf_holder_look(path, holder->text, &holder->renewed, there));
  rf_holder_attempt(holder->text, holder->attempt);
  return RF_OK;
}

/* From the lock to the last who took over. */
static rf_status find_holder(const rf_lease *l, found_holder *holder, bool *there) {
  RF_TRY(look_at_line(l->path, holder, there));
  for (int i = 0; *there && i < MOST_HOLDERS; i++) {
    char next[RF_MAX_PATH];
    found_holder later;
    bool further;
    path_after(l, holder->attempt, next);
    RF_TRY(look_at_line(next, &later, &further));
    if (!further || strcmp(later.attempt, holder->attempt) == 0) return RF_OK;
    *holder = later;
  }
  return RF_OK;
}

static bool is_as_it_was(const found_holder *before, const found_holder *now) {
  return strcmp(before->attempt, now->attempt) == 0 && before->renewed.tv_sec == now->renewed.tv_sec &&
         before->renewed.tv_nsec == now->renewed.tv_nsec;
}

/* This one's line gets a further name, if nobody has it. (A network file system may say that it exists where it has
 * just been made.) */
static rf_status link_line(const rf_lease *l, const char *name, bool *taken) {
  *taken = link(l->own, name) == 0;
  if (*taken) return RF_OK;
  if (errno != EEXIST) return fail_with_errno(name, "cannot be made");
  *taken = rf_file_is_named(l->file, name);
  return RF_OK;
}

double rf_lease_now(const rf_lease_times *times) { return times->now ? times->now() : rf_clock_seconds(); }

void rf_lease_pause(const rf_lease_times *times, double seconds) {
  if (times->pause) {
    times->pause(seconds);
    return;
  }
  struct timespec left = {.tv_sec = (time_t)seconds, .tv_nsec = (long)((seconds - (double)(time_t)seconds) * 1e9)};
  while (nanosleep(&left, &left) != 0 && errno == EINTR) continue;
}

/* Whether the way from the lock leads to this one, which holds the name after the stale holder, and that one still is
 * as it was seen: it may have been given a successor, or have come back to life, since then. */
static rf_status is_next(const rf_lease *l, const found_holder *stale, bool *next) {
  found_holder last, again;
  bool there;
  *next = false;
  RF_TRY(find_holder(l, &last, &there));
  if (!there || strcmp(last.attempt, l->attempt) != 0) return RF_OK;
  RF_TRY(look_at_line(stale->path, &again, &there));
  *next = there && is_as_it_was(stale, &again);
  return RF_OK;
}

/* The stale holder's place: one name for all who want it, so that one gets it. */
static rf_status take_over(const rf_lease *l, const found_holder *stale, bool *taken) {
  char name[RF_MAX_PATH];
  path_after(l, stale->attempt, name);
  RF_TRY(link_line(l, name, taken));
  if (!*taken) return RF_OK;
  rf_status status = is_next(l, stale, taken);
  if (status == RF_OK && *taken && rename(l->own, l->path) != 0)
    status = fail_with_errno(l->path, "cannot be taken over");
  if (status == RF_OK && *taken && strcmp(stale->path, l->path) != 0) (void)unlink(stale->path);
  (void)unlink(name);
  return status;
}

/* Waits for the present holder to show that it lives, or to grow stale under this one's eyes. No time of a file is
 * compared with a clock: on some file systems it is the writer's, whose clock may be wrong by hours. Times are taken
 * before the holder is looked at, so that a file system that does not answer for a while makes no holder old. */
static rf_status ask_until_free(const rf_lease *l, bool *taken) {
  found_holder first = {0}, holder;
  double since = 0;
  for (;;) {
    bool there;
    const double looked = rf_lease_now(&l->times);
    RF_TRY(find_holder(l, &holder, &there));
    if (!there) return link_line(l, l->path, taken);
    if (first.path[0] == '\0') {
      first = holder;
      since = rf_lease_now(&l->times);
    }
    if (!is_as_it_was(&first, &holder)) return rf_holder_refuse(l->path, holder.text);
    if (looked - since > l->times.stale) return take_over(l, &holder, taken);
    rf_lease_pause(&l->times, l->times.look);
  }
}

static rf_status make_line(rf_lease *l) {
  (void)snprintf(l->own, sizeof l->own, "%.*s.%s", RF_MAX_PATH - ENDING, l->path, l->attempt);
  rf_holder_describe(l->attempt, l->text);
  l->file = open(l->own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (l->file < 0) return rf_fail(RF_BAD_CONFIG, "%s: cannot be made: %s", l->own, strerror(errno));
  return renew_line(l);
}

static rf_status take_the_lock(rf_lease *l) {
  RF_TRY(make_line(l));
  for (bool taken = false; !taken;) RF_TRY(ask_until_free(l, &taken));
  (void)unlink(l->own);
  char text[RF_MAX_HOLDER];
  RF_TRY(rf_holder_read(l->path, text));
  return strcmp(text, l->text) == 0 ? RF_OK : rf_holder_refuse(l->path, text);
}

/* A renewal that fails shows by its age. */
static void *renew_until_stopped(void *argument) {
  rf_lease *l = argument;
  struct timespec next;
  (void)pthread_mutex_lock(&l->mutex);
  while (!l->stop) {
    (void)clock_gettime(CLOCK_MONOTONIC, &next);
    const double until = (double)next.tv_sec + 1e-9 * (double)next.tv_nsec + l->times.beat;
    next = (struct timespec){.tv_sec = (time_t)until, .tv_nsec = (long)((until - (double)(time_t)until) * 1e9)};
    while (!l->stop && pthread_cond_timedwait(&l->change, &l->mutex, &next) == 0) continue;
    if (!l->stop) (void)renew_line(l);
  }
  (void)pthread_mutex_unlock(&l->mutex);
  return NULL;
}

static rf_status start_heart(rf_lease *l) {
  pthread_condattr_t monotonic;
  sigset_t all, before;
  bool fine = pthread_mutex_init(&l->mutex, NULL) == 0 && pthread_condattr_init(&monotonic) == 0 &&
              pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0 &&
              pthread_cond_init(&l->change, &monotonic) == 0;
  fine = fine && sigfillset(&all) == 0 && pthread_sigmask(SIG_BLOCK, &all, &before) == 0; /* signals are main's */
  if (!fine) return rf_fail(RF_FAILED, "%s: no thread can be set up to renew it", l->path);
  l->beating = pthread_create(&l->heart, NULL, renew_until_stopped, l) == 0;
  (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
  (void)pthread_condattr_destroy(&monotonic);
  return l->beating ? RF_OK : rf_fail(RF_FAILED, "%s: no thread can be started to renew it", l->path);
}

static void stop_heart(rf_lease *l) {
  if (!l->beating) return;
  (void)pthread_mutex_lock(&l->mutex);
  l->stop = true;
  (void)pthread_cond_signal(&l->change);
  (void)pthread_mutex_unlock(&l->mutex);
  (void)pthread_join(l->heart, NULL);
  (void)pthread_cond_destroy(&l->change);
  (void)pthread_mutex_destroy(&l->mutex);
}

rf_status rf_lease_take(const char *path, const char *attempt, const rf_lease_times *times, rf_lease **lease) {
  rf_lease *l = calloc(1, sizeof *l);
  *lease = NULL;
  if (!l) return rf_fail(RF_FAILED, "%s: out of memory", path);
  l->times = *times;
  l->file = -1;
  (void)snprintf(l->path, sizeof l->path, "%s", path);
  (void)snprintf(l->attempt, sizeof l->attempt, "%s", attempt);
  rf_status status = take_the_lock(l);
  if (status == RF_OK) status = start_heart(l);
  if (status == RF_OK) {
    *lease = l;
    return RF_OK;
  }
  if (l->file >= 0) {
    (void)unlink(l->own);
    if (rf_file_is_named(l->file, l->path)) (void)unlink(l->path);
    (void)close(l->file);
  }
  free(l);
  return status;
}

void rf_lease_release(rf_lease *lease) {
  stop_heart(lease);
  if (rf_file_is_named(lease->file, lease->path)) (void)unlink(lease->path);
  (void)close(lease->file);
  free(lease);
}
