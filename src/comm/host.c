#include "comm/host.h"
#include "base/text.h"
#include "comm/mesh_state.h"
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { HOST_NAME = 64, LINE = 1024 };

typedef struct place {
  char host[HOST_NAME];
  cpu_set_t cores;
  int threads;
} place;

static place own_place(int threads) {
  place p = {.threads = threads};
  if (gethostname(p.host, sizeof p.host - 1) != 0) strcpy(p.host, "?");
  if (sched_getaffinity(0, sizeof p.cores, &p.cores) != 0) CPU_ZERO(&p.cores);
  return p;
}

/* places: [ranks], on every rank; the caller frees it. */
static rf_status gather_places(int threads, place **places) {
  const place own = own_place(threads);
  *places = calloc((size_t)rf_mpi_size(), sizeof **places);
  if (!*places) return rf_fail(RF_FAILED, "out of memory: places of %d ranks", rf_mpi_size());
  const rf_status status = rf_mpi_check(
      MPI_Allgather(&own, sizeof own, MPI_BYTE, *places, sizeof own, MPI_BYTE, MPI_COMM_WORLD), "MPI_Allgather");
  if (status != RF_OK) free(*places);
  return status;
}

rf_status rf_host_sharers(int *sharers) {
  place *places;
  RF_TRY(gather_places(0, &places));
  const place *own = &places[rf_mpi_rank()];
  *sharers = 0;
  for (int r = 0; r < rf_mpi_size(); r++) {
    cpu_set_t both;
    CPU_AND(&both, &own->cores, &places[r].cores);
    *sharers += r == rf_mpi_rank() || (strcmp(own->host, places[r].host) == 0 && CPU_COUNT(&both) > 0);
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
    if (r > first && CPU_EQUAL(&places[r].cores, &places[r - 1].cores)) continue;
    rf_text_append(line, LINE, " ");
    append_cores(line, &places[r].cores);
  }
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
