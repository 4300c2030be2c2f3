#include "base/streams.h"
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The lowest free descriptor is taken: those below are open by now. Opened the wrong way round, so that using it fails;
 * a root folder is there even where /dev is not. */
static bool take_descriptor(int descriptor) {
  if (fcntl(descriptor, F_GETFD) != -1 || errno != EBADF) return true;
  if (open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY) == descriptor) return true;
  return open("/", O_RDONLY) == descriptor;
}

/* The library writes more than its buffer holds past it, and forgets why that failed: what is printed here mostly fits,
 * stays in the buffer after a failure, and fails again at the end. On a terminal lines are to be seen as they come. */
static bool enlarge_buffer(void) {
  static char buffer[1 << 20];
  return isatty(STDOUT_FILENO) == 1 || setvbuf(stdout, buffer, _IOFBF, sizeof buffer) == 0;
}

rf_status rf_streams_hold(void) {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; descriptor++)
    if (!take_descriptor(descriptor))
      return rf_fail(RF_FAILED, "descriptor %d is closed and cannot be held: %s", descriptor, strerror(errno));
  /* A reader that has gone and a file at its limit (ulimit -f) fail as a full disk does: a run goes on. */
  if (signal(SIGPIPE, SIG_IGN) == SIG_ERR || signal(SIGXFSZ, SIG_IGN) == SIG_ERR)
    return rf_fail(RF_FAILED, "SIGPIPE and SIGXFSZ cannot be ignored: %s", strerror(errno));
  if (!enlarge_buffer()) return rf_fail(RF_FAILED, "standard output cannot be given a buffer");
  return RF_OK;
}

static bool reader_is_gone(void) {
  struct pollfd output = {.fd = STDOUT_FILENO, .events = POLLOUT};
  return poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

rf_status rf_streams_finish(void) {
  const bool failed = ferror(stdout) != 0;
  errno = 0;
  if (fflush(stdout) == 0 && !failed) return RF_OK;
  const int cause = errno;
  if (cause == EPIPE || reader_is_gone()) return RF_OK;
  return rf_fail(RF_FAILED, "standard output could not be written: %s",
                 cause != 0 ? strerror(cause) : "some of it is missing; is the disk full?");
}
