#include "comm/mpi_call.h"
#include "base/every_processor.h"

rf_status rf_mpi_check(int code, const char *call) {
  if (code == MPI_SUCCESS) return RF_OK;
  char text[MPI_MAX_ERROR_STRING] = "unknown error";
  int length = 0;
  (void)MPI_Error_string(code, text, &length);
  return rf_fail(RF_FAILED, "communication between ranks failed in %s: %s", call, text);
}
