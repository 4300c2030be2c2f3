#include "base/process.h"
#include "base/every_processor.h"
#include "base/text.h"
#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

const char *rf_process_host(char name[RF_HOST_NAME]) {
  if (gethostname(name, RF_HOST_NAME) != 0) strcpy(name, "?");
  name[RF_HOST_NAME - 1] = '\0';
  return name;
}

int64_t rf_process_peak_bytes(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return (int64_t)usage.ru_maxrss * 1024;
}

/* The number behind a word at the start of a line of a file, or the first number of the file where the word is NULL;
 * -1: not there. */
static int64_t file_number(const char *path, const char *word) {
  char line[256];
  int64_t number = -1;
  FILE *file = fopen(path, "re");
  if (!file) return -1;
  const size_t length = word ? strlen(word) : 0;
  while (number < 0 && fgets(line, sizeof line, file)) {
    if (word && strncmp(line, word, length) != 0) continue;
    (void)rf_text_whole(line + length, &number);
    if (!word) break;
  }
  (void)fclose(file);
  return number;
}

static int64_t least(int64_t a, int64_t b) { return a < 0 || (b >= 0 && b < a) ? b : a; }

/* --- control groups --------------------------------------------------------------------------------- */

enum { GROUP_PATH = 2048 };
static const char mount[] = "/sys/fs/cgroup";

/* Looks at a group's folder; old: of version 1. */
typedef void (*group_look)(void *context, const char *folder, bool old);

/* "4:cpu,cpuacct:/path": whether it is the controller's line of version 1. */
static bool has_controller(const char *line, const char *controller) {
  const char *names = strchr(line, ':');
  const size_t length = strlen(controller);
  for (const char *name = names; name && (*name == ':' || *name == ','); name += strcspn(name, ",:\n")) {
    name++;
    if (strncmp(name, controller, length) == 0 && (name[length] == ',' || name[length] == ':')) return true;
  }
  return false;
}

static void look_at(const char *root, const char *controller, const char *group, group_look look, void *context) {
  char folder[GROUP_PATH];
  (void)snprintf(folder, sizeof folder, "%s%s%s%s%s", root, mount, controller[0] != '\0' ? "/" : "", controller, group);
  look(context, folder, controller[0] != '\0');
}

/* Every group that this process is in, each with limits of its own: its own one and those above it. Inside a container
 * the path is often not there, and the mount itself is the group. */
static void look_at_groups(const char *root, const char *controller, group_look look, void *context) {
  char path[GROUP_PATH], line[1024];
  look_at(root, "", "", look, context);
  look_at(root, controller, "", look, context);
  (void)snprintf(path, sizeof path, "%s/proc/self/cgroup", root);
  FILE *file = fopen(path, "re");
  while (file && fgets(line, sizeof line, file)) {
    const bool old = has_controller(line, controller);
    char *group = strchr(line, '/');
    if (!group || (!old && strncmp(line, "0::", 3) != 0)) continue;
    group[strcspn(group, "\n")] = '\0';
    for (; *group != '\0'; *strrchr(group, '/') = '\0') look_at(root, old ? controller : "", group, look, context);
  }
  if (file) (void)fclose(file);
}

/* Files of a control group's folder, of version 2 and of version 1. */
static const struct memory_files {
  const char *limit, *use, *cache;
} memory_files[] = {
    {"memory.max", "memory.current", "inactive_file "},
    {"memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file "},
};

static int64_t group_number(const char *folder, const char *name, const char *word) {
  char path[GROUP_PATH + 64];
  (void)snprintf(path, sizeof path, "%s/%s", folder, name);
  return file_number(path, word);
}

/* What the group leaves: its limit less what is in use and cannot be dropped. left: int64_t; -1: no limit so far. */
static void look_for_memory(void *left, const char *folder, bool old) {
  const struct memory_files *files = &memory_files[old];
  const int64_t limit = group_number(folder, files->limit, NULL), used = group_number(folder, files->use, NULL);
  const int64_t cache = group_number(folder, "memory.stat", files->cache);
  if (limit < 0 || used < 0) return;
  const int64_t here = limit - used + (cache > 0 ? cache : 0);
  *(int64_t *)left = least(*(int64_t *)left, here > 0 ? here : 0);
}

typedef struct quota {
  double cores;
  uint64_t group; /* the folder's number: other processes see it under other paths, but as the same */
} quota;

/* "150000 100000", microseconds in a period of as many; "max 100000" is no limit. Version 1 has a file for each. */
static void look_for_quota(void *context, const char *folder, bool old) {
  quota *least_one = context;
  char path[GROUP_PATH + 64];
  long long time = -1, period = -1;
  struct stat about;
  if (old) {
    time = group_number(folder, "cpu.cfs_quota_us", NULL);
    period = group_number(folder, "cpu.cfs_period_us", NULL);
  } else {
    (void)snprintf(path, sizeof path, "%s/cpu.max", folder);
    FILE *file = fopen(path, "re");
    if (file && fscanf(file, "%lld %lld", &time, &period) != 2) time = -1;
    if (file) (void)fclose(file);
  }
  if (time <= 0 || period <= 0 || (double)time / (double)period >= least_one->cores) return;
  *least_one = (quota){(double)time / (double)period, stat(folder, &about) == 0 ? about.st_ino : 0};
}

double rf_process_cpu_quota(const char *root, uint64_t *group) {
  quota found = {.cores = INFINITY};
  look_at_groups(root, "cpu", look_for_quota, &found);
  *group = found.group;
  return found.cores;
}

int64_t rf_process_available_bytes(void) {
  const int64_t kibibytes = file_number("/proc/meminfo", "MemAvailable:");
  int64_t left = kibibytes < 0 ? -1 : kibibytes * 1024;
  look_at_groups("", "memory", look_for_memory, &left);
  return left < 0 ? 0 : left;
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
