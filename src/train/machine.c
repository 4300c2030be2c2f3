#include "train/machine.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/processor.h"
#include "comm/collective.h"
#include "comm/host.h"
#include "kernel/gemm.h"
#include "reformer/agree.h"
#include "reformer/real.h"
#include "reformer/version.h"
#include <cblas.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const char rf_sources[]; /* a hash of them, made by the build */

/* 0: the system does not show it. It is read once: all ranks of a host begin with it. */
static uint64_t program_hash(void) {
  static bool read;
  static uint64_t hash;
  int64_t size;
  if (!read && rf_file_hash("/proc/self/exe", &hash, &size) != RF_OK) hash = 0;
  read = true;
  return hash;
}

/* "WHAT 00b1946ac92492d2 (float)" into build, RF_MAX_PROGRAM bytes: of the library, and of a file where its hash is not
 * 0. */
static const char *describe_build(const char *what, uint64_t file, char *build) {
  char text[128] = "";
  (void)snprintf(text, sizeof text, "%016" PRIx64 " %s %s", file, rf_sources, __VERSION__);
  (void)snprintf(build, RF_MAX_PROGRAM, "%s %016" PRIx64 " (%s)", what, rf_hash(text, sizeof text), RF_REAL_NAME);
  return build;
}

const char *rf_program_describe(char *program) { return describe_build("program", program_hash(), program); }

/* OpenBLAS says "OpenBLAS 0.3.21 NO_LAPACKE DYNAMIC_ARCH ...", and which processor's kernels it chose. */
static int length_of_version(const char *library) {
  const char *version = strchr(library, ' ');
  const int length = version ? (int)(strcspn(version + 1, " ") + (size_t)(version + 1 - library)) : 0;
  return length < 48 ? length : 48;
}

const char *rf_processor_describe(char *processor) {
  char name[RF_MAX_PROCESSOR], level[RF_MAX_LEVEL], more[RF_MAX_FEATURES];
  const char *library = openblas_get_config();
  const bool beyond = rf_built_for(rf_features, level, more) > 0;
  const bool other = strcmp(rf_gemm_library(), "OpenBLAS") != 0;
  (void)snprintf(processor, RF_MAX_MACHINE, "%s%s, %s, %.*s %s%s%s%s%s", level, beyond ? " and more" : "",
                 rf_processor_name(name), length_of_version(library), library, openblas_get_corename(),
                 other ? ", " : "", other ? rf_gemm_library() : "", other ? " " : "", other ? rf_gemm_target() : "");
  return processor;
}

rf_status rf_machine_describe(rf_mesh *mesh, char *machine) {
  char program[RF_MAX_PROGRAM], processor[RF_MAX_MACHINE];
  memset(machine, 0, RF_MAX_MACHINE);
  (void)snprintf(machine, RF_MAX_MACHINE, "%s, %.*s", rf_program_describe(program), RF_MAX_MACHINE - RF_MAX_PROGRAM - 2,
                 rf_processor_describe(processor));
  return rf_share(mesh, machine, RF_MAX_MACHINE);
}

/* --- between ranks ---------------------------------------------------------------------------------- */

/* what: "another ..."; build: this rank's; where: the message's end. */
static rf_status compare_builds(rf_mesh *mesh, const char *what, const char *build, const char *where) {
  char own[128] = "", first[128];
  if (rf_mesh_size(mesh) == 1) return RF_OK;
  (void)snprintf(own, sizeof own, "version %s, %s", RF_VERSION, build);
  memcpy(first, own, sizeof first);
  RF_TRY(rf_share(mesh, first, sizeof first));
  if (strcmp(own, first) == 0) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "it %s than rank 0 on host %s: found %s; allowed: %s, %s", what, rf_host_name(mesh, 0),
                 own, first, where);
}

rf_status rf_library_compare(rf_mesh *mesh) {
  char library[RF_MAX_PROGRAM];
  return compare_builds(mesh, "has another build of the library", describe_build("library", 0, library),
                        "the same on all hosts");
}

rf_status rf_program_compare(rf_mesh *mesh) {
  char program[RF_MAX_PROGRAM];
  return compare_builds(mesh, "runs another program", rf_program_describe(program), "the same file on all hosts");
}

static bool is_new(const char (*all)[RF_MAX_MACHINE], int rank) {
  for (int r = 0; r < rank; r++)
    if (strcmp(all[r], all[rank]) == 0) return false;
  return true;
}

/* all: [ranks]. One line for each kind that is not rank 0's, of a few. */
static void warn_of_kinds(const rf_mesh *mesh, const char (*all)[RF_MAX_MACHINE]) {
  const int most = 4;
  for (int rank = 1, kinds = 0; rank < rf_mesh_size(mesh) && kinds < most; rank++) {
    if (!is_new(all, rank)) continue;
    kinds++;
    rf_log_warn("ranks are not alike, so last bits depend on which does what: rank %d on host %s has %s; rank 0 on "
                "host %s has %s",
                rank, rf_host_name(mesh, rank), all[rank], rf_host_name(mesh, 0), all[0]);
  }
}

rf_status rf_machine_compare(rf_mesh *mesh) {
  char own[RF_MAX_MACHINE] = "";
  const int size = rf_mesh_size(mesh);
  if (size == 1) return RF_OK;
  const bool first = rf_mesh_rank(mesh) == 0;
  char(*all)[RF_MAX_MACHINE] = first ? calloc((size_t)size, sizeof *all) : NULL;
  rf_status status = rf_agree(mesh, !first || all ? RF_OK : rf_fail(RF_FAILED, "out of memory: %d ranks", size));
  if (status == RF_OK) status = rf_collect_bytes(mesh, RF_TRAFFIC_OTHER, rf_processor_describe(own), sizeof own, all);
  if (status == RF_OK && first) warn_of_kinds(mesh, (const char(*)[RF_MAX_MACHINE])all);
  free(all);
  return status;
}

/* --- for people ------------------------------------------------------------------------------------- */

void rf_machine_print(void) {
  char name[RF_MAX_PROCESSOR], level[RF_MAX_LEVEL], more[RF_MAX_FEATURES];
  const char *library = openblas_get_config();
  const bool beyond = rf_built_for(rf_features, level, more) > 0;
  printf("compiled for %s%s%s\n", level, beyond ? " and " : "", more);
  printf("processor: %s\n", rf_processor_name(name));
  printf("%.*s: code for %s\n", length_of_version(library), library, openblas_get_corename());
  if (strcmp(rf_gemm_library(), "OpenBLAS") != 0) printf("%s: code for %s\n", rf_gemm_library(), rf_gemm_target());
}
