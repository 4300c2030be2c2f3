/* Where ranks run, and what those of one machine share. For comm/ only: what is kept of it is asked for in comm/host.h.
 */
#ifndef RF_COMM_PLACE_H
#define RF_COMM_PLACE_H

#include "base/cores.h"
#include "base/process.h"
#include "reformer/error.h"
#include <stdbool.h>
#include <stdint.h>

enum { RF_BOOT_NAME = 40 };

/* Where a rank runs, in full: known while a mesh is opened. */
typedef struct rf_place {
  char host[RF_HOST_NAME];
  char boot[RF_BOOT_NAME]; /* of the system that runs there, in whatever container; "": not known */
  rf_cores cores;          /* that it may use */
  uint64_t quota_group;    /* the same for those that share a quota of CPU time */
} rf_place;

/* This rank's. */
rf_place rf_place_find(void);

/* What a rank has to share with others on its machine, in whatever containers they run. */
typedef struct rf_host_share {
  int sharers;       /* ranks whose cores overlap this rank's, itself included: what its cores must be divided by */
  int turn;          /* this rank's place among them, from 0 */
  bool alike;        /* they all have the same cores */
  int quota_sharers; /* ranks whose CPU quota is this rank's, itself included */
} rf_host_share;

/* What is kept of the places of all ranks. */
typedef struct rf_hosts {
  int n;
  int *of_rank;                /* [ranks] numbers of hosts, in the order of their first ranks; NULL: imagined */
  char (*names)[RF_HOST_NAME]; /* [n] */
  rf_host_share share;         /* of this rank, as is the next */
  int neighbours;              /* ranks on its machine, itself included */
} rf_hosts;

/* Memory for `ranks` of them; then what `rank` keeps. */
rf_status rf_hosts_create(int ranks, rf_hosts *hosts);
void rf_hosts_fill(const rf_place *places, int ranks, int rank, rf_hosts *hosts);
void rf_hosts_destroy(rf_hosts *hosts);

#endif
