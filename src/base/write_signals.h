/* A file at its limit (ulimit -f) and a reader that has gone end a process by SIGXFSZ or SIGPIPE, unless it has said
 * otherwise, as reformer does (base/streams.h). Between these two they do not, in the calling thread: the write fails,
 * as on a full disk. */
#ifndef RF_BASE_WRITE_SIGNALS_H
#define RF_BASE_WRITE_SIGNALS_H

#include <errno.h>
#include <signal.h>
#include <time.h>

typedef struct rf_write_signals {
  sigset_t before, own; /* mask of the thread; those of the two that no one else waits for */
} rf_write_signals;

static inline rf_write_signals rf_write_signals_hold(void) {
  static const int numbers[] = {SIGXFSZ, SIGPIPE};
  rf_write_signals signals;
  sigset_t pending;
  (void)sigpending(&pending);
  (void)sigemptyset(&signals.own);
  for (int i = 0; i < 2; i++)
    if (sigismember(&pending, numbers[i]) == 0) (void)sigaddset(&signals.own, numbers[i]);
  (void)pthread_sigmask(SIG_BLOCK, &signals.own, &signals.before);
  return signals;
}

/* What came meanwhile was the writes', and is gone. errno stays. */
static inline void rf_write_signals_let_go(rf_write_signals signals) {
  const struct timespec now = {0};
  const int before = errno;
  int got;
  do got = sigtimedwait(&signals.own, NULL, &now);
  while (got > 0 || errno == EINTR);
  (void)pthread_sigmask(SIG_SETMASK, &signals.before, NULL);
  errno = before;
}

#endif
