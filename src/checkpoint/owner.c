#include "checkpoint/files.h"
#include "checkpoint/lease.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
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

void rf_owner_describe(const char *attempt, char text[RF_MAX_OWNER]) {
  char host[256] = "", now[64] = "";
  struct tm parts;
  const time_t seconds = time(NULL);
  if (gethostname(host, sizeof host - 1) != 0) strcpy(host, "unknown");
  if (gmtime_r(&seconds, &parts)) (void)strftime(now, sizeof now, "%Y-%m-%d %H:%M:%S UTC", &parts);
  (void)snprintf(text, RF_MAX_OWNER, "host %s\npid %ld\njob %.128s\nattempt %s\nsince %s\n", host, (long)getpid(),
                 job_name(), attempt, now);
}

rf_status rf_owner_read(const char *path, char text[RF_MAX_OWNER]) {
  int file;
  int64_t size;
  if (rf_file_open(path, &file, &size) != RF_OK) return rf_fail(RF_FAILED, "%s", rf_error_message());
  const int64_t length = size < RF_MAX_OWNER ? size : RF_MAX_OWNER - 1;
  const rf_status status = rf_file_read(file, path, 0, text, length);
  (void)close(file);
  text[status == RF_OK ? length : 0] = '\0';
  return status == RF_OK ? RF_OK : rf_fail(RF_FAILED, "%s", rf_error_message());
}

/* What follows "KEY " in a line; "unknown" where there is none. */
static void find(const char *text, const char *key, char *value, size_t size) {
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

void rf_owner_attempt(const char *text, char attempt[RF_ATTEMPT_LENGTH + 1]) {
  char value[64];
  find(text, "attempt", value, sizeof value);
  const bool fits = strlen(value) == RF_ATTEMPT_LENGTH && strspn(value, "0123456789abcdef") == RF_ATTEMPT_LENGTH;
  memcpy(attempt, fits ? value : "", fits ? RF_ATTEMPT_LENGTH + 1 : 1);
}

const char *rf_owner_line(const char *text, char line[RF_MAX_OWNER]) {
  char host[256], pid[32], job[160], since[64];
  find(text, "host", host, sizeof host);
  find(text, "pid", pid, sizeof pid);
  find(text, "job", job, sizeof job);
  find(text, "since", since, sizeof since);
  (void)snprintf(line, RF_MAX_OWNER, "host %s, process %s, job %s, since %s", host, pid, job, since);
  return line;
}

rf_status rf_owner_refuse(const char *path, const char *text) {
  char line[RF_MAX_OWNER];
  return rf_fail(RF_BAD_CONFIG,
                 "%s: another job writes into this run's folder: %s; wait until it has ended, end it, or name another "
                 "folder with --run DIR",
                 path, rf_owner_line(text, line));
}
