#include "config/resume.h"
#include "base/log.h"
#include "base/text.h"
#include "config/read_text.h"
#include "config/settle.h"
#include <stdio.h>
#include <string.h>

static bool is_under(const char *path, const char *const *sections) {
  for (; *sections; sections++)
    if (strncmp(path, *sections, strlen(*sections)) == 0) return true;
  return false;
}

/* Keys that say what the parameters mean. */
static bool is_of_the_checkpoint(const char *path) {
  static const char *const sections[] = {"model.", "lsh.", "local.", "full.", NULL};
  return is_under(path, sections) && strcmp(path, "model.precision") != 0;
}

static rf_status check_given(const rf_config *given, const rf_origin *origin, const char *checkpoint,
                             const rf_config *saved) {
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    char found[RF_MAX_VALUE], kept[RF_MAX_VALUE], place[RF_MAX_PLACE];
    if (origin->line[i] == 0 || !is_of_the_checkpoint(key->path)) continue;
    (void)rf_key_value(key, given, found);
    (void)rf_key_value(key, saved, kept);
    if (strcmp(found, kept) == 0 || strcmp(found, "auto") == 0) continue;
    return rf_fail(RF_BAD_DATA,
                   "%s: found %s, but checkpoint %s has %s; allowed: that, or nothing (the value is then the "
                   "checkpoint's); another model is another run: --run DIR",
                   rf_origin_place(origin, key->path, place), found, checkpoint, kept);
  }
  return RF_OK;
}

/* A checkpoint of step 0 holds no optimizer's state that counts. */
static rf_status check_optimizer(const rf_config *given, const rf_origin *origin, const char *checkpoint,
                                 const rf_config *saved) {
  const int index = rf_key_index("optimizer.kind");
  const rf_key *key = rf_key_at(index);
  char found[RF_MAX_VALUE], kept[RF_MAX_VALUE], place[RF_MAX_PLACE];
  if (given->optimizer.kind == saved->optimizer.kind) return RF_OK;
  return rf_fail(RF_BAD_DATA,
                 "%s: found %s, but checkpoint %s holds the state of %s; allowed: that, or another run: --run DIR",
                 rf_origin_place(origin, key->path, place), rf_key_value(key, given, found), checkpoint,
                 rf_key_value(key, saved, kept));
}

/* Whether a key has a say in the numbers of the steps to come. */
static bool changes_numbers(const char *path, const rf_config *config) {
  static const char *const sections[] = {"data.", "training.", "optimizer.", "mesh.wire", "model.precision", NULL};
  static const char *const others[] = {"training.steps",        "training.eval_every",  "training.eval_batches",
                                       "training.step_timeout", "training.max_minutes", NULL};
  const rf_schedule_kind schedule = config->optimizer.schedule;
  if (strcmp(path, "training.steps") == 0) return schedule == RF_SCHEDULE_COSINE || schedule == RF_SCHEDULE_LINEAR;
  return is_under(path, sections) && !is_under(path, others);
}

static void warn_of_changes(const rf_config *config, const rf_origin *origin, const rf_config *saved, int64_t step) {
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    char now[RF_MAX_VALUE], then[RF_MAX_VALUE], place[RF_MAX_PLACE];
    if (!changes_numbers(key->path, config)) continue;
    if (strcmp(rf_key_value(key, config, now), rf_key_value(key, saved, then)) == 0) continue;
    rf_log_warn("%s: %s from step %lld on, %s up to there: the run is no longer what it would have been",
                rf_origin_place(origin, key->path, place), now, (long long)step + 1, then);
  }
}

static rf_status read_saved(const char *checkpoint, const char *text, rf_config *saved) {
  rf_origin nowhere;
  const rf_status status = rf_config_read_text(checkpoint, text, strlen(text), NULL, 0, saved, &nowhere);
  return status == RF_BAD_CONFIG ? rf_fail(RF_BAD_DATA, "its configuration does not read: %s", rf_error_message())
                                 : status;
}

rf_status rf_config_resume(const rf_config *given, const rf_origin *origin, const char *checkpoint,
                           const rf_checkpoint_info *info, rf_config *config) {
  rf_config saved;
  RF_TRY(read_saved(checkpoint, info->header.config, &saved));
  RF_TRY(check_given(given, origin, checkpoint, &saved));
  if (info->header.step > 0) RF_TRY(check_optimizer(given, origin, checkpoint, &saved));
  *config = *given;
  config->model = saved.model;
  config->model.precision = given->model.precision;
  config->lsh = saved.lsh;
  config->local = saved.local;
  config->full = saved.full;
  RF_TRY(rf_config_settle(config, origin));
  if (info->header.step > 0) warn_of_changes(config, origin, &saved, info->header.step);
  return RF_OK;
}

rf_status rf_config_check_checkpoint(const rf_config *config, const rf_checkpoint_info *info) {
  rf_config saved;
  RF_TRY(read_saved("checkpoint", info->header.config, &saved));
  for (int i = 0; i < rf_key_count(); i++) {
    const rf_key *key = rf_key_at(i);
    char found[RF_MAX_VALUE], kept[RF_MAX_VALUE];
    const bool optimizer = info->header.step > 0 && strcmp(key->path, "optimizer.kind") == 0;
    if (!optimizer && !is_of_the_checkpoint(key->path)) continue;
    (void)rf_key_value(key, config, found);
    (void)rf_key_value(key, &saved, kept);
    if (strcmp(found, kept) != 0)
      return rf_fail(RF_BAD_DATA, "it has %s %s, and the configuration %s; allowed: the checkpoint's", key->path, kept,
                     found);
  }
  return RF_OK;
}
