#include "comm/host.h"
#include "base/every_processor.h"
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
  (void)rf_process_cpu_quota("", &p.quota_group);
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

rf_status rf_hosts_create(int ranks, rf_hosts *hosts) {
  *hosts = (rf_hosts){.of_rank = calloc((size_t)ranks, sizeof *hosts->of_rank),
                      .names = calloc((size_t)ranks, sizeof *hosts->names)};
  return hosts->of_rank && hosts->names ? RF_OK : rf_fail(RF_FAILED, "hosts of %d ranks: out of memory", ranks);
}

void rf_hosts_destroy(rf_hosts *hosts) {
  free(hosts->of_rank);
  free(hosts->names);
  *hosts = (rf_hosts){0};
}

/* Ranks of one host mostly follow each other, or come every so many. */
static void number_hosts(const rf_place *places, int ranks, rf_hosts *hosts) {
  hosts->n = 0;
  for (int r = 0; r < ranks; r++) {
    int before = r - 1;
    while (before >= 0 && !same_host(&places[before], &places[r])) before--;
    hosts->of_rank[r] = before >= 0 ? hosts->of_rank[before] : hosts->n;
    if (before < 0) memcpy(hosts->names[hosts->n++], places[r].host, RF_HOST_NAME);
  }
  void *smaller = realloc(hosts->names, (size_t)hosts->n * sizeof *hosts->names);
  if (smaller) hosts->names = smaller;
}

void rf_hosts_fill(const rf_place *places, int ranks, int rank, rf_hosts *hosts) {
  const rf_place *own = &places[rank];
  hosts->share = (rf_host_share){.alike = true};
  hosts->neighbours = 0;
  for (int r = 0; r < ranks; r++) {
    const rf_place *other = &places[r];
    if (!same_machine(own, other)) continue;
    hosts->neighbours++;
    hosts->share.quota_sharers += own->quota_group == other->quota_group;
    if (!rf_cores_overlap(&own->cores, &other->cores)) continue;
    hosts->share.sharers++;
    hosts->share.turn += r < rank;
    hosts->share.alike = hosts->share.alike && rf_cores_equal(&own->cores, &other->cores);
  }
  number_hosts(places, ranks, hosts);
}

/* Imagined, or this process alone: without hosts. */
static const rf_hosts *hosts_of(const rf_mesh *mesh) { return mesh && mesh->hosts.of_rank ? &mesh->hosts : NULL; }

const char *rf_host_name(const rf_mesh *mesh, int rank) {
  const rf_hosts *hosts = hosts_of(mesh);
  return hosts ? hosts->names[hosts->of_rank[rank]] : "?";
}

rf_host_share rf_host_share_of(const rf_mesh *mesh) {
  const rf_hosts *hosts = hosts_of(mesh);
  return hosts ? hosts->share : (rf_host_share){1, 0, true, 1};
}

int rf_host_ranks(const rf_mesh *mesh) {
  const rf_hosts *hosts = hosts_of(mesh);
  return hosts ? hosts->neighbours : 1;
}

void rf_host_of_ranks(const rf_mesh *mesh, int *host, int *hosts) {
  const rf_hosts *known = hosts_of(mesh);
  *hosts = known ? known->n : 1;
  for (int r = 0; r < rf_mesh_size(mesh); r++) host[r] = known ? known->of_rank[r] : 0;
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
  if (!hosts_of(mesh)) return RF_OK;
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
