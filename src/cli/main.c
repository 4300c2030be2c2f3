#include "cli/program.h"

int main(int argc, char **argv) { return rf_program_main(argc, argv); }
