#include "cli/ranks.h"
#include "comm/collective.h"
#include "comm/host.h"
#include "reformer/agree.h"
#include "train/machine.h"
#include <stdlib.h>
#include <string.h>

static int64_t bytes_of_words(int argc, char **argv) {
  int64_t bytes = 0;
  for (int i = 1; i < argc; i++) bytes += (int64_t)strlen(argv[i]) + 1;
  return bytes;
}

/* words: as argv from its second entry on, one behind the other, each with its zero byte. */
static rf_status compare_words(const rf_mesh *mesh, int argc, char **argv, const char *words, int64_t bytes) {
  const char *word = words, *end = words + bytes;
  for (int i = 1; i < argc || word < end; i++) {
    const char *own = i < argc ? argv[i] : NULL, *first = word < end ? word : NULL;
    if (!own || !first || strcmp(own, first) != 0)
      return rf_fail(RF_BAD_CONFIG,
                     "its command line differs from that of rank 0 on host %s in word %d: found %.200s, there %.200s; "
                     "allowed: the same command line for all ranks",
                     rf_host_name(mesh, 0), i, own ? own : "nothing", first ? first : "nothing");
    word += strlen(word) + 1;
  }
  return RF_OK;
}

static rf_status compare_command_lines(rf_mesh *mesh, int argc, char **argv) {
  int64_t bytes = bytes_of_words(argc, argv);
  RF_TRY(rf_share(mesh, &bytes, sizeof bytes));
  char *words = malloc((size_t)bytes + 1);
  rf_status status = rf_agree(mesh, words ? RF_OK : rf_fail(RF_FAILED, "out of memory: the command line"));
  char *to = words;
  for (int i = 1; to && status == RF_OK && rf_mesh_rank(mesh) == 0 && i < argc; i++) to = stpcpy(to, argv[i]) + 1;
  if (status == RF_OK) RF_TRY(rf_share(mesh, words, bytes)); /* NOLINT: else it stays, messages may be under way */
  if (status == RF_OK) status = compare_words(mesh, argc, argv, words, bytes);
  free(words);
  return status;
}

rf_status rf_ranks_compare(rf_mesh *mesh, int argc, char **argv) {
  if (rf_mesh_size(mesh) == 1) return RF_OK;
  RF_TRY(rf_agree(mesh, rf_program_compare(mesh)));
  RF_TRY(rf_agree(mesh, compare_command_lines(mesh, argc, argv)));
  return rf_agree(mesh, rf_machine_compare(mesh));
}
