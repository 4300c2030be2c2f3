#include "base/process.h"
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int64_t rf_process_peak_bytes(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return (int64_t)usage.ru_maxrss * 1024;
}

/* The number behind a word at the start of a line of a file, or the first number of the file where the word is NULL;
 * -1: not there. */
static int64_t number_of(const char *path, const char *word) {
  char line[256];
  int64_t number = -1;
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  const size_t length = word ? strlen(word) : 0;
  while (number < 0 && fgets(line, sizeof line, file)) {
    if (word && strncmp(line, word, length) != 0) continue;
    char *end = NULL;
    const long long value = strtoll(line + length, &end, 10);
    if (end != line + length) number = value;
    if (!word) break;
  }
  (void)fclose(file);
  return number;
}

static int64_t least(int64_t a, int64_t b) { return a < 0 || (b >= 0 && b < a) ? b : a; }

/* Files of a control group's folder, of version 2 and of version 1. */
static const struct group_files {
  const char *mount, *limit, *use, *cache;
} group_files[] = {
    {"/sys/fs/cgroup", "memory.max", "memory.current", "inactive_file "},
    {"/sys/fs/cgroup/memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
};

/* What a control group leaves: its limit less what is in use and cannot be dropped. -1: no limit. */
static int64_t group_leaves(const struct group_files *files, const char *group) {
  char path[1400];
  (void)snprintf(path, sizeof path, "%s%s/%s", files->mount, group, files->limit);
  const int64_t limit = number_of(path, NULL);
  (void)snprintf(path, sizeof path, "%s%s/%s", files->mount, group, files->use);
  const int64_t used = number_of(path, NULL);
  (void)snprintf(path, sizeof path, "%s%s/memory.stat", files->mount, group);
  const int64_t cache = number_of(path, files->cache);
  if (limit < 0 || used < 0) return -1;
  return limit - used + (cache > 0 ? cache : 0) > 0 ? limit - used + (cache > 0 ? cache : 0) : 0;
}

/* The least that the group of this process and those above it leave, each with a limit of its own. Inside a container
 * the path is often not there, and the mount itself is the group. -1: no limit. */
static int64_t groups_leave(void) {
  char line[1024];
  int64_t left = least(group_leaves(&group_files[0], ""), group_leaves(&group_files[1], ""));
  FILE *file = fopen("/proc/self/cgroup", "re");
  while (file && fgets(line, sizeof line, file)) {
    const bool old = strstr(line, ":memory:") != NULL;
    char *group = strchr(line, '/');
    if (!group || (!old && strncmp(line, "0::", 3) != 0)) continue;
    group[strcspn(group, "\n")] = '\0';
    for (; *group != '\0'; *strrchr(group, '/') = '\0') left = least(left, group_leaves(&group_files[old], group));
  }
  if (file) (void)fclose(file);
  return left;
}

int64_t rf_process_available_bytes(void) {
  const int64_t kibibytes = number_of("/proc/meminfo", "MemAvailable:");
  const int64_t left = least(kibibytes < 0 ? -1 : kibibytes * 1024, groups_leave());
  return left < 0 ? 0 : left;
}

int rf_process_cores(void) {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) {
    int count = CPU_COUNT(&set);
    if (count > 0) return count;
  }
  /* More cores than a cpu_set_t holds (1024): the machine's count is the better guess. */
  long online = sysconf(_SC_NPROCESSORS_ONLN);
  return online > 0 ? (int)online : 1;
}

/* The 22nd word of /proc/self/stat: clock ticks from the start of the machine to that of the process. The second word,
 * the program's name in brackets, may hold anything. */
double rf_process_age(void) {
  char text[1024];
  FILE *file = fopen("/proc/self/stat", "r");
  if (!file) return 0;
  const size_t length = fread(text, 1, sizeof text - 1, file);
  (void)fclose(file);
  text[length] = '\0';
  const char *word = strrchr(text, ')');
  for (int i = 2; word && i < 22; i++) word = strchr(word + 1, ' ');
  unsigned long long ticks;
  struct timespec now;
  if (!word || sscanf(word, "%llu", &ticks) != 1 || clock_gettime(CLOCK_BOOTTIME, &now) != 0) return 0;
  const double age = (double)now.tv_sec + (double)now.tv_nsec * 1e-9 - (double)ticks / (double)sysconf(_SC_CLK_TCK);
  return age > 0 ? age : 0;
}
