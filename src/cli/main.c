#include "base/log.h"
#include "cli/program.h"
#include "cli/threads.h"
#include "comm/mesh.h"

int main(int argc, char **argv) {
  rf_status status = rf_mpi_start(&argc, &argv);
  rf_log_set_rank(rf_mpi_rank());
  if (status == RF_OK) status = rf_threads_start(true);
  if (status == RF_OK) status = rf_program_run(argc, argv);
  rf_log_status("");
  if (status != RF_OK && status != RF_STOPPED) {
    rf_log_error("%s", rf_error_message());
    if (rf_log_is_verbose() && rf_error_trace()[0] != '\0') rf_log_info("passed through: %s", rf_error_trace());
  }
  rf_status closed = rf_log_close();
  if (closed != RF_OK && status == RF_OK) {
    status = closed;
    rf_log_error("%s", rf_error_message());
  }
  /* Every rank finalises before any ends with a status: the launcher kills the others at the first that is not 0. */
  rf_mpi_finish();
  return (int)status;
}
