/* Compiled with RF_FAULTS only. */
#include "train/fault.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const kinds[] = {"data", "memory", "nonfinite", "hang"};

static rf_status refuse_fault(const char *text) {
  return rf_fail(RF_BAD_CONFIG,
                 "REFORMER_FAULT: found '%.64s'; allowed: RANK:FIRST[-LAST]:KIND, KIND one of data, memory, nonfinite, "
                 "hang",
                 text);
}

/* *kind: what happens on this rank in this step; NULL: nothing. */
static rf_status find_fault(const rf_mesh *mesh, int64_t step, const char **kind) {
  const char *text = getenv("REFORMER_FAULT");
  *kind = NULL;
  if (!text) return RF_OK;
  int rank;
  long long first, last;
  char word[16];
  if (sscanf(text, "%d:%lld-%lld:%15s", &rank, &first, &last, word) != 4) {
    if (sscanf(text, "%d:%lld:%15s", &rank, &first, word) != 3) return refuse_fault(text);
    last = first;
  }
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(word, kinds[i]) != 0) continue;
    if (rank == rf_mesh_rank(mesh) && step >= first && step <= last) *kind = kinds[i];
    return RF_OK;
  }
  return refuse_fault(text);
}

rf_status rf_fault_in_reading(const rf_mesh *mesh, int64_t step) {
  const char *kind;
  RF_TRY(find_fault(mesh, step, &kind));
  if (!kind) return RF_OK;
  if (strcmp(kind, "data") == 0)
    return rf_fail(RF_BAD_DATA, "step %lld: the data cannot be read (REFORMER_FAULT)", (long long)step);
  while (strcmp(kind, "hang") == 0) (void)pause();
  return RF_OK;
}

rf_status rf_fault_in_gradients(const rf_mesh *mesh, int64_t step, rf_loss *loss) {
  const char *kind;
  RF_TRY(find_fault(mesh, step, &kind));
  if (!kind) return RF_OK;
  if (strcmp(kind, "memory") == 0)
    return rf_fail(RF_FAILED, "step %lld: out of memory (REFORMER_FAULT)", (long long)step);
  if (strcmp(kind, "nonfinite") == 0) loss->sum = NAN;
  return RF_OK;
}
