/* Compiled with RF_FAULTS only. */
#include "base/fault_io.h"
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Written while one thread is at work, read by all. */
static struct {
  int64_t first, last;
  int error;
  atomic_llong calls;
} fault;

static const struct {
  const char *name;
  int error;
} kinds[] = {{"ENOSPC", ENOSPC}, {"EIO", EIO}, {"EACCES", EACCES}, {"KILL", RF_FAULT_KILL}};

void rf_fault_io_arm(int64_t first, int64_t last, int error) {
  fault.first = first;
  fault.last = last;
  fault.error = error;
  atomic_store(&fault.calls, 0);
}

int64_t rf_fault_io_calls(void) { return atomic_load(&fault.calls); }

rf_status rf_fault_io_read(int rank) {
  const char *text = getenv("REFORMER_IO_FAULT");
  int of_rank;
  long long first, last;
  char word[16];
  if (!text) return RF_OK;
  bool read = sscanf(text, "%d:%lld-%lld:%15s", &of_rank, &first, &last, word) == 4;
  if (!read) {
    read = sscanf(text, "%d:%lld:%15s", &of_rank, &first, word) == 3;
    last = first;
  }
  for (size_t i = 0; read && i < sizeof kinds / sizeof *kinds; i++) {
    if (strcmp(word, kinds[i].name) != 0) continue;
    if (of_rank == rank) rf_fault_io_arm(first, last, kinds[i].error);
    return RF_OK;
  }
  return rf_fail(RF_BAD_CONFIG,
                 "REFORMER_IO_FAULT: found '%.64s'; allowed: RANK:FIRST[-LAST]:KIND, KIND one of ENOSPC, EIO, EACCES, "
                 "KILL",
                 text);
}

bool rf_io_fails(void) {
  const int64_t call = atomic_fetch_add(&fault.calls, 1) + 1;
  if (call < fault.first || call > fault.last) return false;
  if (fault.error == RF_FAULT_KILL) (void)raise(SIGKILL);
  errno = fault.error;
  return true;
}
