#include "comm/host.h"
#include "base/process.h"
#include "base/text.h"
#include "comm/mesh_state.h"
#include "kernel/cores.h"
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_NAME = 64, LINE = 1024 };

typedef struct place {
  char host[HOST_NAME];
  rf_cores cores;
  int threads;
  double quota; /* of CPU time, in cores; infinity: none */
  uint64_t quota_group;
} place;

/* threads: 0: their number is to be found. */
static place own_place(int threads) {
  place p = {.threads = threads};
  if (gethostname(p.host, sizeof p.host - 1) != 0) strcpy(p.host, "?");
  if (threads > 0)
    rf_cores_of_threads(&p.cores);
  else
    rf_cores_of_process(&p.cores);
  p.quota = rf_process_cpu_quota("", &p.quota_group);
  return p;
}

/* places: [ranks], on every rank; the caller frees it. */
static rf_status gather_places(int threads, place **places) {
  const place own = own_place(threads);
  *places = calloc((size_t)rf_mpi_size(), sizeof **places);
  if (!*places) return rf_fail(RF_FAILED, "out of memory: places of %d ranks", rf_mpi_size());
  if (rf_mpi_size() == 1) {
    **places = own;
    return RF_OK;
  }
  const rf_status status = rf_mpi_check(
      MPI_Allgather(&own, sizeof own, MPI_BYTE, *places, sizeof own, MPI_BYTE, MPI_COMM_WORLD), "MPI_Allgather");
  if (status != RF_OK) free(*places);
  return status;
}

rf_status rf_host_share_of(rf_host_share *share) {
  place *places;
  RF_TRY(gather_places(0, &places));
  const int rank = rf_mpi_rank();
  const place *own = &places[rank];
  *share = (rf_host_share){.alike = true};
  for (int r = 0; r < rf_mpi_size(); r++) {
    if (strcmp(own->host, places[r].host) != 0) continue;
    share->quota_sharers += r == rank || own->quota_group == places[r].quota_group;
    if (!rf_cores_overlap(&own->cores, &places[r].cores)) continue;
    share->sharers++;
    share->turn += r < rank;
    share->alike = share->alike && rf_cores_equal(&own->cores, &places[r].cores);
  }
  free(places);
  return RF_OK;
}

rf_status rf_host_ranks(int *ranks) {
  place *places;
  RF_TRY(gather_places(0, &places));
  *ranks = 0;
  for (int r = 0; r < rf_mpi_size(); r++) *ranks += strcmp(places[r].host, places[rf_mpi_rank()].host) == 0;
  free(places);
  return RF_OK;
}

rf_status rf_host_of_ranks(int *host, int *hosts) {
  place *places;
  RF_TRY(gather_places(0, &places));
  *hosts = 0;
  for (int r = 0; r < rf_mpi_size(); r++) {
    int first = 0;
    while (first < r && strcmp(places[first].host, places[r].host) != 0) first++;
    host[r] = first < r ? host[first] : (*hosts)++;
  }
  free(places);
  return RF_OK;
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

/* The run of ranks from `first` on one host with as many threads; returns the one after. */
static int describe_run(const place *places, int ranks, int first, char *line) {
  int end = first + 1;
  while (end < ranks && strcmp(places[end].host, places[first].host) == 0 &&
         places[end].threads == places[first].threads)
    end++;
  line[0] = '\0';
  rf_text_append(line, LINE, "host %s: rank%s %d", places[first].host, end - first > 1 ? "s" : "", first);
  if (end - first > 1) rf_text_append(line, LINE, "-%d", end - 1);
  rf_text_append(line, LINE, ", %d thread%s each, cores", places[first].threads, places[first].threads == 1 ? "" : "s");
  for (int r = first; r < end; r++) {
    if (r > first && rf_cores_equal(&places[r].cores, &places[r - 1].cores)) continue;
    rf_text_append(line, LINE, " ");
    append_cores(line, &places[r].cores);
  }
  if (isfinite(places[first].quota)) rf_text_append(line, LINE, ", CPU quota of %.3g cores", places[first].quota);
  return end;
}

rf_status rf_host_describe(int threads, void (*say)(const char *line)) {
  place *places;
  char line[LINE];
  RF_TRY(gather_places(threads, &places));
  for (int r = 0; rf_mpi_rank() == 0 && r < rf_mpi_size();) {
    r = describe_run(places, rf_mpi_size(), r, line);
    say(line);
  }
  free(places);
  return RF_OK;
}
