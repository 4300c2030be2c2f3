#include "base/write_signals.h"
#include "base/every_processor.h"
#include <errno.h>
#include <stddef.h>
#include <time.h>

static const int held[] = {SIGXFSZ, SIGPIPE};
enum { HELD = sizeof held / sizeof *held };

sigset_t rf_write_signals_hold(void) {
  const int error = errno;
  sigset_t signals, before;
  (void)sigemptyset(&signals);
  for (int i = 0; i < HELD; i++) (void)sigaddset(&signals, held[i]);
  (void)sigemptyset(&before);
  (void)pthread_sigmask(SIG_BLOCK, &signals, &before);
  errno = error;
  return before;
}

/* The kernel raises them in the thread that writes, before the call returns. Those that the caller blocks stay pending,
 * as they would without this. */
void rf_write_signals_release(const sigset_t *before) {
  static const struct timespec at_once;
  const int error = errno;
  sigset_t raised;
  (void)sigemptyset(&raised);
  for (int i = 0; i < HELD; i++)
    if (!sigismember(before, held[i])) (void)sigaddset(&raised, held[i]);
  while (sigtimedwait(&raised, NULL, &at_once) > 0) continue;
  (void)pthread_sigmask(SIG_SETMASK, before, NULL);
  errno = error;
}
