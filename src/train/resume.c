#include "train/resume.h"
#include "base/file_error.h"
#include "base/log.h"
#include "checkpoint/names.h"
#include "comm/collective.h"
#include "comm/host.h"
#include "reformer/agree.h"
#include "reformer/config.h"
#include "storage/attempt.h"
#include "storage/files.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* --- which there are -------------------------------------------------------------------------------- */

static int newest_first(const void *a, const void *b) {
  const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
  return x < y ? 1 : x > y ? -1 : 0;
}

static rf_status add_step(int64_t step, int64_t *n, int64_t **steps) {
  int64_t *more = realloc(*steps, (size_t)(*n + 1) * sizeof *more);
  if (!more) return rf_fail(RF_FAILED, "out of memory: names of %lld checkpoints", (long long)*n + 1);
  more[(*n)++] = step;
  *steps = more;
  return RF_OK;
}

/* NULL: the end, or errno. */
static const struct dirent *next_entry(DIR *entries) {
  errno = 0;
  return readdir(entries);
}

/* On one rank. Free *steps, also after a failure. */
static rf_status list_steps(const char *folder, int64_t *n, int64_t **steps) {
  *n = 0;
  *steps = NULL;
  DIR *entries = opendir(folder);
  if (!entries && errno == ENOENT) return RF_OK;
  if (!entries) return rf_fail(rf_file_read_status(errno), "%s: cannot be listed: %s", folder, strerror(errno));
  rf_status status = RF_OK;
  int64_t step;
  for (const struct dirent *entry; status == RF_OK && (entry = next_entry(entries)) != NULL;) {
    const char *rest = rf_step_read(entry->d_name, &step);
    if (rest && *rest == '\0') status = add_step(step, n, steps);
  }
  if (status == RF_OK && errno != 0) status = rf_fail(RF_FAILED, "%s: cannot be listed: %s", folder, strerror(errno));
  (void)closedir(entries);
  if (*n > 0) qsort(*steps, (size_t)*n, sizeof **steps, newest_first);
  return status;
}

rf_status rf_resume_list(rf_mesh *mesh, const char *folder, int64_t *n, int64_t **steps) {
  rf_status status = RF_OK;
  *n = 0;
  *steps = NULL;
  if (rf_mesh_rank(mesh) == 0) status = list_steps(folder, n, steps);
  status = rf_agree(mesh, status);
  if (status == RF_OK) status = rf_share(mesh, n, sizeof *n);
  if (status == RF_OK && !*steps && *n > 0 && !(*steps = malloc((size_t)*n * sizeof **steps)))
    status = rf_fail(RF_FAILED, "out of memory: names of %lld checkpoints", (long long)*n);
  status = rf_agree(mesh, status);
  if (status == RF_OK && *n > 0) status = rf_share(mesh, *steps, *n * (int64_t)sizeof **steps);
  if (status != RF_OK) {
    free(*steps);
    *steps = NULL;
  }
  return status;
}

/* --- one of them ------------------------------------------------------------------------------------ */

/* Hosts may have other folders under the same name, each of them whole: rank 0's is the one that counts. own: how this
 * rank has fared, with its message; *status: also where its checkpoint is another one. */
static rf_status compare_with_first(rf_mesh *mesh, rf_status own, const rf_checkpoint *checkpoint, rf_status *status) {
  char first[RF_ATTEMPT_LENGTH + 1] = "";
  const char *attempt = own == RF_OK ? rf_checkpoint_info_of(checkpoint)->attempt : "";
  const char *host = rf_host_name(mesh, 0);
  (void)snprintf(first, sizeof first, "%s", attempt);
  RF_TRY(rf_share(mesh, first, sizeof first));
  *status = own;
  if (first[0] == '\0' || strcmp(first, attempt) == 0) return RF_OK;
  if (own == RF_OK)
    *status = rf_fail(RF_BAD_DATA,
                      "it is another checkpoint (attempt %s) than what rank 0 on host %s has under that name (attempt "
                      "%s); allowed: a folder that all hosts share",
                      attempt, host, first);
  else if (own == RF_BAD_DATA)
    *status = rf_context(own, "what rank 0 on host %s can read must be the same for all hosts", host);
  return RF_OK;
}

rf_status rf_resume_open(rf_mesh *mesh, const char *path, rf_checkpoint **checkpoint, rf_finding *finding) {
  rf_status own = rf_checkpoint_open(path, checkpoint);
  rf_status status = compare_with_first(mesh, own, *checkpoint, &own);
  if (status == RF_OK) status = rf_survey(mesh, own, finding);
  if (status == RF_OK && finding->status == RF_OK) return RF_OK;
  rf_checkpoint_close(*checkpoint);
  *checkpoint = NULL;
  return status;
}

static bool has_kind(const rf_checkpoint_info *info, const char *kind) {
  bool found = false;
  for (int i = 0; !found && i < info->n_kinds; i++) found = strcmp(info->kinds[i], kind) == 0;
  return found;
}

static rf_status check_kinds(const rf_checkpoint_info *info, const rf_state *state) {
  for (int i = 0; i < state->n_arrays; i++)
    if (!has_kind(info, state->arrays[i].kind))
      return rf_fail(
          RF_BAD_DATA,
          "step %lld holds no %s, which the optimizer needs to go on; leave the section optimizer as it was, "
          "or start another run",
          (long long)info->header.step, state->arrays[i].kind);
  return RF_OK;
}

rf_status rf_resume_fits(const rf_checkpoint_info *info, const rf_trainer *t) {
  rf_state state;
  if (info->header.step == 0) return RF_OK;
  RF_TRY(rf_state_create(rf_model_store(t->model), t->optimizer, &state));
  const rf_status status = check_kinds(info, &state);
  rf_state_destroy(&state);
  return status;
}

/* What the optimizer carries from step to step is zero before the first. */
static void clear_arrays(int n_arrays, const rf_state_array *arrays) {
  for (int i = 0; i < n_arrays; i++) memset(arrays[i].values, 0, (size_t)arrays[i].count * sizeof *arrays[i].values);
}

static rf_status load_state(rf_checkpoint *checkpoint, const rf_trainer *t, const rf_state *state,
                            rf_finding *finding) {
  rf_store *store = rf_model_store(t->model);
  const rf_layout *layout = rf_store_layout(store);
  const bool anew = rf_checkpoint_info_of(checkpoint)->header.step == 0;
  const int wanted = anew ? layout->n_blocks : state->n_arrays; /* the blocks' parameters come first */
  RF_TRY(rf_survey(t->mesh, rf_checkpoint_load(checkpoint, layout, wanted, state->arrays), finding));
  clear_arrays(state->n_arrays - wanted, state->arrays + wanted);
  rf_store_updated(store);
  return RF_OK;
}

rf_status rf_resume_load(rf_checkpoint *checkpoint, rf_trainer *t, rf_finding *finding) {
  rf_state state;
  RF_TRY(rf_survey(t->mesh, rf_state_create(rf_model_store(t->model), t->optimizer, &state), finding));
  const rf_status status = finding->status == RF_OK ? load_state(checkpoint, t, &state, finding) : RF_OK;
  rf_state_destroy(&state);
  return status;
}

rf_status rf_resume_supersede(const char *folder, int64_t step, const char *attempt) {
  int64_t n, *steps;
  char path[RF_MAX_PATH], name[RF_MAX_PATH];
  rf_status status = list_steps(folder, &n, &steps);
  for (int64_t i = 0; status == RF_OK && i < n && steps[i] > step; i++) {
    status = rf_step_path(folder, steps[i], path);
    if (status == RF_OK) status = rf_name_beside(path, RF_MARK_SUPERSEDED, attempt, name);
    if (status == RF_OK) status = rf_rename_synced(path, name);
    if (status == RF_OK) rf_log_info("%s is no longer part of the run: it is now %s", path, name);
  }
  free(steps);
  return status;
}
