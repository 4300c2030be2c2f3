#include "comm/host_describe.h"
#include "base/cores.h"
#include "base/process.h"
#include "base/text.h"
#include "comm/collective.h"
#include "comm/host.h"
#include "comm/mesh_state.h"
#include <math.h>
#include <stdlib.h>

enum { LINE = 1024 };

/* "0-3" or "0-1,4" */
static void append_cores(char *line, const rf_cores *cores) {
  const char *between = "";
  for (int c = 0; c < RF_MAX_CORES; c++) {
    if (!rf_cores_has(cores, c)) continue;
    const int first = c;
    while (rf_cores_has(cores, c + 1)) c++;
    rf_text_append(line, LINE, c > first ? "%s%d-%d" : "%s%d", between, first, c);
    between = ",";
  }
}

/* What a rank computes with. */
typedef struct tools {
  int threads;
  rf_cores cores; /* of its threads */
  double quota;   /* of CPU time, in cores; infinity: none */
} tools;

/* The run of ranks from `first` on one host with as many threads; returns the one after. */
static int describe_run(const rf_mesh *mesh, const tools *all, int first, char *line) {
  const int *host = mesh->hosts.of_rank, threads = all[first].threads;
  int end = first + 1;
  while (end < rf_mesh_size(mesh) && host[end] == host[first] && all[end].threads == threads) end++;
  line[0] = '\0';
  rf_text_append(line, LINE, "host %s: rank%s %d", rf_host_name(mesh, first), end - first > 1 ? "s" : "", first);
  if (end - first > 1) rf_text_append(line, LINE, "-%d", end - 1);
  rf_text_append(line, LINE, ", %d thread%s each, cores", threads, threads == 1 ? "" : "s");
  for (int r = first; r < end; r++) {
    if (r > first && rf_cores_equal(&all[r].cores, &all[r - 1].cores)) continue;
    rf_text_append(line, LINE, " ");
    append_cores(line, &all[r].cores);
  }
  if (isfinite(all[first].quota)) rf_text_append(line, LINE, ", CPU quota of %.3g cores", all[first].quota);
  return end;
}

rf_status rf_host_describe(rf_mesh *mesh, int threads, void (*say)(const char *line)) {
  const int size = rf_mesh_size(mesh);
  uint64_t group;
  tools own = {.threads = threads, .quota = rf_process_cpu_quota("", &group)}, *all = NULL;
  char line[LINE];
  if (!mesh || !mesh->hosts.of_rank) return RF_OK;
  rf_cores_of_threads(&own.cores);
  if (rf_mesh_rank(mesh) == 0) {
    all = calloc((size_t)size, sizeof *all);
    if (!all) return rf_fail(RF_FAILED, "out of memory: threads of %d ranks", size);
  }
  const rf_status status = rf_collect_bytes(mesh, RF_TRAFFIC_OTHER, &own, sizeof own, all);
  for (int r = 0; all && status == RF_OK && r < size;) {
    r = describe_run(mesh, all, r, line);
    say(line);
  }
  free(all);
  return status;
}
