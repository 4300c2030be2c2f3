/* Compiled for every processor, as all that runs before the answer (src/CMakeLists.txt). */
#include "base/every_processor.h"
#include "base/processor.h"
#include "cli/program.h"
#include "reformer/error.h"
#include "session/threads.h"
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

/* What the process was started with is known only to what runs before the libraries do, and that is the program's,
 * never a library's:
 *
 * UCX, which an MPI library may bring along, takes SIGHUP for its log before main begins: nohup would be in vain, and
 * the end of a terminal would end nothing.
 *
 * clang's OpenMP aborts, or takes all memory, where OMP_NUM_THREADS is no number: it counts as not set then. */
static struct sigaction hangup;
static bool hangup_is_known;
static const char *no_number; /* OMP_NUM_THREADS, which was taken away; NULL: it was not */

static void drop_what_is_no_number(char **environment) {
  static const char name[] = "OMP_NUM_THREADS=";
  char **to = environment;
  for (char **from = environment; *from; from++) {
    const char *value = strncmp(*from, name, sizeof name - 1) == 0 ? *from + sizeof name - 1 : NULL;
    if (value && rf_threads_read(value) == 0)
      no_number = value;
    else
      *to++ = *from;
  }
  *to = NULL;
}

static void look_before_libraries(int argc, char **argv, char **environment) {
  (void)argc, (void)argv;
  hangup_is_known = sigaction(SIGHUP, NULL, &hangup) == 0;
  drop_what_is_no_number(environment);
}

__attribute__((section(".preinit_array"), used)) static void (*const before_libraries)(int, char **,
                                                                                       char **) = look_before_libraries;

static void restore_hangup(void) {
  if (hangup_is_known) (void)sigaction(SIGHUP, &hangup, NULL);
}

int main(int argc, char **argv) {
  if (rf_processor_check() != RF_OK) {
    (void)fprintf(stderr, "error: %s\n", rf_error_message());
    return RF_BAD_CONFIG;
  }
  restore_hangup();
  if (no_number && no_number[0] != '\0')
    (void)fprintf(stderr,
                  "warning: OMP_NUM_THREADS: found '%s'; allowed: whole numbers from 1, with commas between; it "
                  "counts as not set\n",
                  no_number);
  return rf_program_main(argc, argv);
}
