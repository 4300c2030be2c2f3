#include "comm/host.h"
#include "base/text.h"
#include "comm/collective.h"
#include "comm/mesh_state.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE = 1024 };

static void read_boot(char boot[RF_BOOT_NAME]) {
  boot[0] = '\0';
  FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
  if (!file) return;
  if (!fgets(boot, RF_BOOT_NAME, file)) boot[0] = '\0';
  (void)fclose(file);
}

rf_place rf_place_find(void) {
  rf_place p = {0};
  if (gethostname(p.host, sizeof p.host - 1) != 0) strcpy(p.host, "?");
  if (sched_getaffinity(0, sizeof p.cores, &p.cores) != 0) CPU_ZERO(&p.cores);
  read_boot(p.boot);
  return p;
}

static bool same_host(const rf_place *a, const rf_place *b) {
  return strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0;
}

const char *rf_host_name(const rf_mesh *mesh, int rank) { return mesh && mesh->places ? mesh->places[rank].host : "?"; }

int rf_host_sharers(const rf_mesh *mesh) {
  if (!mesh || !mesh->places) return 1;
  const int own = rf_mesh_rank(mesh);
  int sharers = 0;
  for (int r = 0; r < rf_mesh_size(mesh); r++) {
    cpu_set_t both;
    CPU_AND(&both, &mesh->places[own].cores, &mesh->places[r].cores);
    sharers += r == own || (same_host(&mesh->places[own], &mesh->places[r]) && CPU_COUNT(&both) > 0);
  }
  return sharers;
}

int rf_host_ranks(const rf_mesh *mesh) {
  if (!mesh || !mesh->places) return 1;
  int ranks = 0;
  for (int r = 0; r < rf_mesh_size(mesh); r++) ranks += same_host(&mesh->places[r], &mesh->places[rf_mesh_rank(mesh)]);
  return ranks;
}

void rf_host_of_ranks(const rf_mesh *mesh, int *host, int *hosts) {
  *hosts = 0;
  for (int r = 0; r < rf_mesh_size(mesh); r++) {
    int first = 0;
    while (mesh && mesh->places && first < r && !same_host(&mesh->places[first], &mesh->places[r])) first++;
    host[r] = first < r ? host[first] : (*hosts)++;
  }
}

/* "0-3" or "0-1,4" */
static void append_cores(char *line, const cpu_set_t *cores) {
  const char *between = "";
  for (size_t c = 0; c < CPU_SETSIZE; c++) {
    if (!CPU_ISSET(c, cores) || (c > 0 && CPU_ISSET(c - 1, cores))) continue;
    size_t last = c;
    while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, cores)) last++;
    rf_text_append(line, LINE, last > c ? "%s%zu-%zu" : "%s%zu", between, c, last);
    between = ",";
  }
}

/* The run of ranks from `first` on one host with as many threads; returns the one after. */
static int describe_run(const rf_mesh *mesh, const int64_t *threads, int first, char *line) {
  const rf_place *places = mesh->places;
  int end = first + 1;
  while (end < rf_mesh_size(mesh) && same_host(&places[end], &places[first]) && threads[end] == threads[first]) end++;
  line[0] = '\0';
  rf_text_append(line, LINE, "host %s: rank%s %d", places[first].host, end - first > 1 ? "s" : "", first);
  if (end - first > 1) rf_text_append(line, LINE, "-%d", end - 1);
  rf_text_append(line, LINE, ", %lld thread%s each, cores", (long long)threads[first], threads[first] == 1 ? "" : "s");
  for (int r = first; r < end; r++) {
    if (r > first && CPU_EQUAL(&places[r].cores, &places[r - 1].cores)) continue;
    rf_text_append(line, LINE, " ");
    append_cores(line, &places[r].cores);
  }
  return end;
}

rf_status rf_host_describe(rf_mesh *mesh, int threads, void (*say)(const char *line)) {
  const int size = rf_mesh_size(mesh);
  const int64_t own = threads;
  char line[LINE];
  if (!mesh || !mesh->places) return RF_OK;
  int64_t *all = calloc((size_t)size, sizeof *all);
  if (!all) return rf_fail(RF_FAILED, "out of memory: threads of %d ranks", size);
  const rf_status status = rf_gather_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &own, all);
  for (int r = 0; status == RF_OK && rf_mesh_rank(mesh) == 0 && r < size;) {
    r = describe_run(mesh, all, r, line);
    say(line);
  }
  free(all);
  return status;
}
