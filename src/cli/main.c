/* Compiled for every processor, as all that runs before the answer (src/CMakeLists.txt). */
#include "base/processor.h"
#include "cli/program.h"
#include "reformer/error.h"

int main(int argc, char **argv) {
  if (!rf_processor_suffices()) return RF_BAD_CONFIG;
  return rf_program_main(argc, argv);
}
