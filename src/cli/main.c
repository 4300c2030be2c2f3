/* Compiled for every processor, as all that runs before the answer (src/CMakeLists.txt). */
#include "base/every_processor.h"
#include "base/processor.h"
#include "cli/program.h"
#include "reformer/error.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

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

int main(int argc, char **argv) {
  if (rf_processor_check() != RF_OK) {
    (void)fprintf(stderr, "error: %s\n", rf_error_message());
    return RF_BAD_CONFIG;
  }
  restore_hangup();
  return rf_program_main(argc, argv);
}
