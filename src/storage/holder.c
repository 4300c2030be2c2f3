#include "storage/holder.h"
#include "base/plain_file.h"
#include "base/process.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Of whatever started this. */
static const char *job_name(void) {
  static const char *const names[] = {"SLURM_JOB_ID", "PBS_JOBID", "LSB_JOBID", "JOB_ID"};
  for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
    const char *job = getenv(names[i]);
    if (job && job[0] != '\0' && !strpbrk(job, "\n")) return job;
  }
  return "none";
}

void rf_holder_describe(const char *attempt, char text[RF_MAX_HOLDER]) {
  char host[RF_HOST_NAME], now[64] = "";
  struct tm parts;
  const time_t seconds = time(NULL);
  if (gmtime_r(&seconds, &parts)) (void)strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S UTC", &parts);
  (void)snprintf(text, RF_MAX_HOLDER, "host %s\npid %ld\njob %.128s\nattempt %s\nsince %s\n", rf_process_host(host),
                 (long)getpid(), job_name(), attempt, now);
}

rf_status rf_holder_read_open(int file, const char *path, char text[RF_MAX_HOLDER]) {
  ssize_t length;
  do length = pread(file, text, RF_MAX_HOLDER - 1, 0);
  while (length < 0 && errno == EINTR);
  text[length < 0 ? 0 : length] = '\0';
  return length < 0 ? rf_fail(RF_FAILED, "%s: cannot be read: %s", path, strerror(errno)) : RF_OK;
}

/* 0, or the error's number. */
static int look_once(const char *path, char text[RF_MAX_HOLDER], struct stat *about) {
  const int file = rf_plain_open(path, about);
  if (file < 0) return errno;
  const int code = rf_holder_read_open(file, path, text) == RF_OK ? 0 : errno;
  (void)close(file);
  return code;
}

rf_status rf_holder_look(const char *path, char text[RF_MAX_HOLDER], struct timespec *renewed, bool *there) {
  enum { MOST_LOOKS = 16 };
  struct stat about = {0};
  int code = ESTALE; /* a network file system's answer where the file was replaced between two calls */
  text[0] = '\0';
  *there = false;
  for (int i = 0; i < MOST_LOOKS && code == ESTALE; i++) code = look_once(path, text, &about);
  if (code == ENOENT) return RF_OK;
  if (code != 0) return rf_fail(RF_FAILED, "%s: cannot be read: %s", path, strerror(code));
  *renewed = about.st_mtim;
  *there = true;
  return RF_OK;
}

rf_status rf_holder_read(const char *path, char text[RF_MAX_HOLDER]) {
  struct timespec renewed;
  bool there;
  RF_TRY(rf_holder_look(path, text, &renewed, &there));
  return there ? RF_OK : rf_fail(RF_FAILED, "%s: cannot be opened: %s", path, strerror(ENOENT));
}

/* What follows "KEY " in a line; "unknown" where there is none. */
static void find_value(const char *text, const char *key, char *value, size_t size) {
  const size_t length = strlen(key);
  (void)snprintf(value, size, "unknown");
  for (const char *line = text; line; line = strchr(line, '\n')) {
    line += *line == '\n';
    if (strncmp(line, key, length) != 0 || line[length] != ' ') continue;
    const char *start = line + length + 1;
    (void)snprintf(value, size, "%.*s", (int)strcspn(start, "\n"), start);
    return;
  }
}

void rf_holder_attempt(const char *text, char attempt[RF_ATTEMPT_LENGTH + 1]) {
  char value[64];
  find_value(text, "attempt", value, sizeof value);
  const bool fits = rf_attempt_is(value);
  memcpy(attempt, fits ? value : "", fits ? RF_ATTEMPT_LENGTH + 1 : 1);
}

const char *rf_holder_line(const char *text, char line[RF_MAX_HOLDER]) {
  char host[256], pid[32], job[160], since[64];
  find_value(text, "host", host, sizeof host);
  find_value(text, "pid", pid, sizeof pid);
  find_value(text, "job", job, sizeof job);
  find_value(text, "since", since, sizeof since);
  (void)snprintf(line, RF_MAX_HOLDER, "host %s, process %s, job %s, since %s", host, pid, job, since);
  return line;
}

rf_status rf_holder_refuse(const char *path, const char *text) {
  char line[RF_MAX_HOLDER];
  return rf_fail(RF_BAD_CONFIG,
                 "%s: another job writes into this run's folder: %s; wait until it has ended, end it, or name another "
                 "folder with --run DIR",
                 path, rf_holder_line(text, line));
}
