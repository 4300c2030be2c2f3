#include "train/machine.h"
#include "base/hash.h"
#include "comm/collective.h"
#include "reformer/real.h"
#include <cblas.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/utsname.h>

enum { MAX_PROCESSOR = 96 };

/* 0: the system does not show it. It is read once: all ranks of a host begin with it. */
static uint64_t program_hash(void) {
  static bool read;
  static uint64_t hash;
  int64_t size;
  if (!read && rf_file_hash("/proc/self/exe", &hash, &size) != RF_OK) hash = 0;
  read = true;
  return hash;
}

/* "model name : ..." of the first processor; elsewhere the kind of machine. */
static void find_processor(char processor[MAX_PROCESSOR]) {
  char line[256];
  struct utsname system;
  processor[0] = '\0';
  FILE *file = fopen("/proc/cpuinfo", "r");
  while (file && processor[0] == '\0' && fgets(line, sizeof line, file)) {
    const char *value = strchr(line, ':');
    if (strncmp(line, "model name", 10) != 0 || !value) continue;
    value += 1 + strspn(value + 1, " \t");
    (void)snprintf(processor, MAX_PROCESSOR, "%.*s", (int)strcspn(value, "\n"), value);
  }
  if (file) (void)fclose(file);
  if (processor[0] == '\0' && uname(&system) == 0)
    (void)snprintf(processor, MAX_PROCESSOR, "%.*s", MAX_PROCESSOR - 1, system.machine);
}

const char *rf_program_describe(char *program) {
  (void)snprintf(program, RF_MAX_PROGRAM, "program %016" PRIx64 " (%s)", program_hash(), RF_REAL_NAME);
  return program;
}

/* OpenBLAS says "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...", and which processor's kernels it chose. */
static void describe(char *machine) {
  char processor[MAX_PROCESSOR], program[RF_MAX_PROGRAM];
  const char *library = openblas_get_config(), *version = strchr(library, ' ');
  const int length = version ? (int)(strcspn(version + 1, " ") + (size_t)(version + 1 - library)) : 0;
  find_processor(processor);
  (void)snprintf(machine, RF_MAX_MACHINE, "%s, %s, %.*s %s", rf_program_describe(program), processor,
                 length < 64 ? length : 64, library, openblas_get_corename());
}

rf_status rf_machine_describe(rf_mesh *mesh, char *machine, int *other) {
  const int size = rf_mesh_size(mesh);
  memset(machine, 0, RF_MAX_MACHINE);
  describe(machine);
  const uint64_t own = rf_hash(machine, RF_MAX_MACHINE);
  RF_TRY(rf_share(mesh, machine, RF_MAX_MACHINE));
  double ranks_from = own != rf_hash(machine, RF_MAX_MACHINE) ? size - rf_mesh_rank(mesh) : 0; /* most: the lowest */
  RF_TRY(rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &ranks_from));
  *other = size - (int)ranks_from;
  return RF_OK;
}
