/* Compiled with RF_FAULTS only. */
#include "comm/fault.h"
#include <stdio.h>
#include <stdlib.h>

rf_status rf_rank_fault(int rank) {
  static long long calls; /* of this process; only the main thread comes here */
  const char *text = getenv("REFORMER_RANK_FAULT");
  int of_rank;
  long long which;
  calls++;
  if (!text) return RF_OK;
  if (sscanf(text, "%d:%lld", &of_rank, &which) != 2)
    return rf_fail(RF_BAD_CONFIG, "REFORMER_RANK_FAULT: found '%.64s'; allowed: RANK:N", text);
  if (of_rank != rank || which != calls) return RF_OK;
  return rf_fail(RF_FAILED, "out of memory (REFORMER_RANK_FAULT, turn %lld)", calls);
}
