#include "checkpoint/retention.h"
#include <math.h>

static bool counts_as_newer(const rf_retention_entry *c, int64_t after, int64_t newest) {
  return c->verified && c->step > after && c->step <= newest;
}

static int64_t count_newer(int64_t after, int64_t newest, int n, const rf_retention_entry *all) {
  int64_t count = 0;
  for (int i = 0; i < n; i++) count += counts_as_newer(&all[i], after, newest);
  return count;
}

int64_t rf_retention_missing(const rf_checkpoint_config *config, int64_t newest, int n, const rf_retention_entry *all) {
  const int64_t there = count_newer(-1, newest, n, all);
  return config->keep == 0 || there >= config->keep ? 0 : config->keep - there;
}

static bool is_better(const rf_retention_entry *a, const rf_retention_entry *b) {
  if (isnan(a->eval_loss) || isnan(b->eval_loss)) return !isnan(a->eval_loss);
  return a->eval_loss < b->eval_loss || (a->eval_loss == b->eval_loss && a->step > b->step);
}

static bool is_best(int n, const rf_retention_entry *all, int which, bool of_verified) {
  if (isnan(all[which].eval_loss) || (of_verified && !all[which].verified)) return false;
  for (int i = 0; i < n; i++)
    if (i != which && (all[i].verified || !of_verified) && is_better(&all[i], &all[which])) return false;
  return true;
}

bool rf_retention_removes(const rf_checkpoint_config *config, int64_t newest, int n, const rf_retention_entry *all,
                          int which) {
  const rf_retention_entry *c = &all[which];
  if (config->keep == 0 || c->resumed || c->stuck || c->step > newest) return false;
  if (config->keep_every > 0 && c->step % config->keep_every == 0) return false;
  if (is_best(n, all, which, false) || is_best(n, all, which, true)) return false;
  return count_newer(c->step, newest, n, all) >= config->keep;
}
