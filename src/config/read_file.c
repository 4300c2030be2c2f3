/* Rank 0 reads the file, whatever it is: a pipe gives its bytes once, and hosts may see different files. */
#include "config/read_file.h"
#include "checkpoint/astray.h"
#include "comm/collective.h"
#include "config/read_text.h"
#include "reformer/agree.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_BYTES = 1 << 20 };

static rf_status refuse_config_folder(const char *file) {
  char advice[RF_MAX_ADVICE];
  const char *meant = rf_astray_config_advice(file, advice);
  return rf_fail(RF_BAD_CONFIG, "%s: is a folder; %s", file, meant ? meant : "give the path of a configuration file");
}

/* Free *text. */
static rf_status read_file(const char *file, char **text, size_t *length) {
  FILE *stream = fopen(file, "rb");
  if (!stream) {
    return rf_fail(RF_BAD_CONFIG, "%s: cannot be opened: %s; give the path of a configuration file", file,
                   strerror(errno));
  }
  *text = malloc(MOST_BYTES + 1);
  if (!*text) {
    (void)fclose(stream);
    return rf_fail(RF_FAILED, "%s: out of memory", file);
  }
  errno = 0;
  *length = fread(*text, 1, MOST_BYTES + 1, stream);
  rf_status status = RF_OK;
  if (ferror(stream) && errno == EISDIR) {
    status = refuse_config_folder(file);
  } else if (ferror(stream)) {
    status =
        rf_fail(RF_BAD_CONFIG, "%s: cannot be read: %s; give the path of a configuration file", file, strerror(errno));
  } else if (*length > MOST_BYTES) {
    status = rf_fail(RF_BAD_CONFIG, "%s: longer than 1 MiB, so hardly a configuration file", file);
  }
  (void)fclose(stream);
  if (status == RF_OK) return RF_OK;
  free(*text);
  *text = NULL;
  return status;
}

/* Rank 0's bytes, on all ranks. *text: NULL on the others; after a failure it stays, as messages may be under way. */
static rf_status share_text(rf_mesh *mesh, char **text, size_t *length) {
  int64_t bytes = (int64_t)*length;
  RF_TRY(rf_share(mesh, &bytes, sizeof bytes));
  *length = (size_t)bytes;
  if (!*text) *text = malloc(*length + 1);
  RF_TRY(rf_agree(mesh, *text ? RF_OK : rf_fail(RF_FAILED, "out of memory: the configuration")));
  return rf_share(mesh, *text, bytes);
}

rf_status rf_config_read(rf_mesh *mesh, const char *file, const char *const *sets, int n_sets, rf_config *config,
                         rf_origin *origin) {
  char *text = NULL;
  size_t length = 0;
  RF_TRY(rf_agree(mesh, rf_mesh_rank(mesh) == 0 ? read_file(file, &text, &length) : RF_OK));
  RF_TRY(share_text(mesh, &text, &length)); /* NOLINT(clang-analyzer-unix.Malloc) */
  const rf_status status = rf_config_read_text(file, text, length, sets, n_sets, config, origin);
  free(text);
  return rf_agree(mesh, status);
}
