#include "base/log.h"
#include "base/streams.h"
#include "cli/program.h"
#include "comm/mesh.h"

static void say_failure(rf_status status) {
  if (status == RF_OK || status == RF_STOPPED) return;
  rf_log_error("%s", rf_error_message());
  if (rf_log_is_verbose() && rf_error_trace()[0] != '\0') rf_log_info("passed through: %s", rf_error_trace());
}

/* What is closed last may fail, too; the first failure counts. */
static rf_status then(rf_status status, rf_status closed) {
  if (status != RF_OK || closed == RF_OK) return status;
  say_failure(closed);
  return closed;
}

int main(int argc, char **argv) {
  rf_mesh *mesh = NULL;
  rf_status status = rf_streams_hold();
  if (status == RF_OK) status = rf_program_run(argc, argv, &mesh);
  rf_log_status("");
  say_failure(status);
  status = then(status, rf_streams_finish());
  status = then(status, rf_log_close());
  rf_mesh_destroy(mesh);
  /* Every rank finalises before any ends with a status: the launcher kills the others at the first that is not 0. */
  rf_mpi_finish();
  return (int)status;
}
