#include "comm/place.h"
#include "base/every_processor.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
