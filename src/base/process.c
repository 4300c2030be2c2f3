#include "base/process.h"
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

int64_t rf_process_peak_bytes(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_SELF, &usage) != 0) return 0;
  return (int64_t)usage.ru_maxrss * 1024;
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
