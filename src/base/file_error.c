#include "base/file_error.h"
#include "base/every_processor.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

static _Thread_local char text[160];

const char *rf_file_error(int error) {
  struct rlimit limit;
  if (error == EFBIG && getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY)
    (void)snprintf(text, sizeof text, "%s: a file of this process may have %llu bytes (ulimit -f)", strerror(error),
                   (unsigned long long)limit.rlim_cur);
  else
    (void)snprintf(text, sizeof text, "%s", strerror(error));
  return text;
}

rf_status rf_file_read_status(int error) {
  return error == ENOENT || error == ENOTDIR || error == ELOOP ? RF_BAD_DATA : RF_FAILED;
}
