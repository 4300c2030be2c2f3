#include "comm/host.h"
#include "base/process.h"
#include "base/text.h"
#include "comm/collective.h"
#include "comm/mesh_state.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
  (void)rf_process_host(p.host);
  rf_cores_of_process(&p.cores);
  p.quota = rf_process_cpu_quota("", &p.quota_group);
  read_boot(p.boot);
  return p;
}

/* Alike in their network: containers of one machine, each with a name of its own, have links between them. */
static bool same_host(const rf_place *a, const rf_place *b) {
  return strcmp(a->host, b->host) == 0 && strcmp(a->boot, b->boot) == 0;
}

/* Whose cores, memory and control groups are the same, whatever it is called. */
static bool same_machine(const rf_place *a, const rf_place *b) {
  return a->boot[0] != '\0' && b->boot[0] != '\0' ? strcmp(a->boot, b->boot) == 0 : strcmp(a->host, b->host) == 0;
}

const char *rf_host_name(const rf_mesh *mesh, int rank) { return mesh && mesh->places ? mesh->places[rank].host : "?"; }

rf_host_share rf_host_share_of(const rf_mesh *mesh) {
  rf_host_share share = {.alike = true};
  if (!mesh || !mesh->places) return (rf_host_share){1, 0, true, 1};
  const int rank = rf_mesh_rank(mesh);
  const rf_place *own = &mesh->places[rank];
  for (int r = 0; r < rf_mesh_size(mesh); r++) {
    const rf_place *other = &mesh->places[r];
    if (!same_machine(own, other)) continue;
    share.quota_sharers += own->quota_group == other->quota_group;
    if (!rf_cores_overlap(&own->cores, &other->cores)) continue;
    share.sharers++;
    share.turn += r < rank;
    share.alike = share.alike && rf_cores_equal(&own->cores, &other->cores);
  }
  return share;
}

int rf_host_ranks(const rf_mesh *mesh) {
  if (!mesh || !mesh->places) return 1;
  int ranks = 0;
  for (int r = 0; r < rf_mesh_size(mesh); r++)
    ranks += same_machine(&mesh->places[r], &mesh->places[rf_mesh_rank(mesh)]);
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

/* What a rank computes with, in a form that travels. */
typedef struct tools {
  int64_t threads;
  rf_cores cores; /* of its threads */
} tools;
enum { TOOLS_INTEGERS = sizeof(tools) / sizeof(int64_t) };
_Static_assert(sizeof(tools) == TOOLS_INTEGERS * sizeof(int64_t), "tools travel as integers");

/* The run of ranks from `first` on one host with as many threads; returns the one after. */
static int describe_run(const rf_mesh *mesh, const tools *all, int first, char *line) {
  const rf_place *places = mesh->places;
  const int64_t threads = all[first].threads;
  int end = first + 1;
  while (end < rf_mesh_size(mesh) && same_host(&places[end], &places[first]) && all[end].threads == threads) end++;
  line[0] = '\0';
  rf_text_append(line, LINE, "host %s: rank%s %d", places[first].host, end - first > 1 ? "s" : "", first);
  if (end - first > 1) rf_text_append(line, LINE, "-%d", end - 1);
  rf_text_append(line, LINE, ", %lld thread%s each, cores", (long long)threads, threads == 1 ? "" : "s");
  for (int r = first; r < end; r++) {
    if (r > first && rf_cores_equal(&all[r].cores, &all[r - 1].cores)) continue;
    rf_text_append(line, LINE, " ");
    append_cores(line, &all[r].cores);
  }
  if (isfinite(places[first].quota)) rf_text_append(line, LINE, ", CPU quota of %.3g cores", places[first].quota);
  return end;
}

rf_status rf_host_describe(rf_mesh *mesh, int threads, void (*say)(const char *line)) {
  const int size = rf_mesh_size(mesh);
  tools own = {.threads = threads};
  char line[LINE];
  if (!mesh || !mesh->places) return RF_OK;
  tools *all = calloc((size_t)size, sizeof *all);
  if (!all) return rf_fail(RF_FAILED, "out of memory: threads of %d ranks", size);
  rf_cores_of_threads(&own.cores);
  const rf_status status = rf_gather_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, TOOLS_INTEGERS,
                                              (const int64_t *)(const void *)&own, (int64_t *)(void *)all);
  for (int r = 0; status == RF_OK && rf_mesh_rank(mesh) == 0 && r < size;) {
    r = describe_run(mesh, all, r, line);
    say(line);
  }
  free(all);
  return status;
}
