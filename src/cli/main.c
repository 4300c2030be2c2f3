#include "base/log.h"
#include "base/streams.h"
#include "cli/program.h"
#include "comm/mesh.h"
#include <signal.h>
#include <stdbool.h>

/* UCX, which an MPI library may bring along, takes SIGHUP for its log before main begins: nohup would be in vain, and
 * the end of a terminal would end nothing. What the process was started with is known only to what runs before the
 * libraries do, and that is the program's, never a library's. */
static struct sigaction hangup;
static bool hangup_is_known;

static void note_hangup(void) { hangup_is_known = sigaction(SIGHUP, NULL, &hangup) == 0; }

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(void) = note_hangup;

static void restore_hangup(void) {
  if (hangup_is_known) (void)sigaction(SIGHUP, &hangup, NULL);
}

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
  restore_hangup();
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
