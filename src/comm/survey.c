#include "comm/survey.h"
#include "comm/alarm.h"
#include "comm/collective.h"
#include "comm/host.h"
#include <stdio.h>
#include <stdlib.h>

static bool all_are(const int64_t *statuses, int size, int64_t status) {
  for (int i = 0; i < size; i++)
    if (statuses[i] != status) return false;
  return true;
}

static int gravest_of(const int64_t *statuses, int size) {
  int gravest = 0;
  for (int i = 1; i < size; i++) {
    if (rf_gravity((rf_status)statuses[i]) > rf_gravity((rf_status)statuses[gravest])) gravest = i;
  }
  return gravest;
}

rf_status rf_survey(rf_mesh *mesh, rf_status own, rf_finding *finding) {
  const int size = rf_mesh_size(mesh);
  const int64_t status = own;
  char message[RF_MAX_FINDING] = "";
  bool shared = true;
  if (own != RF_OK) (void)snprintf(message, sizeof message, "%s", rf_error_message());
  *finding = (rf_finding){0};
  int64_t *statuses = malloc((size_t)size * sizeof *statuses);
  /* a rank without memory for this cannot tell so in another way */
  if (!statuses) return rf_fail(RF_FAILED, "out of memory: the statuses of %d ranks", size);
  const rf_status gathered = rf_gather_integers(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &status, statuses);
  if (gathered == RF_OK) {
    finding->rank = gravest_of(statuses, size);
    finding->status = (rf_status)statuses[finding->rank];
    shared = all_are(statuses, size, finding->status);
  }
  free(statuses);
  RF_TRY(gathered);
  if (finding->status == RF_OK) return RF_OK;
  char who[RF_MAX_FINDING / 8] = "";
  if (!shared)
    (void)snprintf(who, sizeof who, "rank %d on host %s: ", finding->rank, rf_host_name(mesh, finding->rank));
  (void)snprintf(finding->message, sizeof finding->message, "%s%.*s", who, (int)(sizeof message - sizeof who), message);
  return rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, finding->rank, finding->message, sizeof finding->message);
}
