#include "train/memory.h"
#include "base/log.h"
#include "base/process.h"
#include "comm/host.h"
#include "model/stash.h"
#include "plan/memory.h"

static double mebibytes(int64_t bytes) { return (double)bytes / 1048576; }

/* Bytes that this rank may come to hold, by part. */
typedef struct need {
  int64_t there, copy, step;
} need;

static rf_status memory_need_of(const rf_trainer *t, need *n) {
  const rf_store *store = rf_model_store(t->model);
  const int64_t moments = (int64_t)rf_optimizer_memory_used(t->optimizer);
  const int64_t parameters = (int64_t)rf_store_memory_used(store);
  const rf_store_sizes shards = rf_store_footprint(rf_store_layout(store), t->mesh);
  rf_model_sizes sizes;
  RF_TRY(rf_model_footprint(&t->config, t->mesh, t->sequences.micro, NULL, &sizes));
  *n = (need){.there = parameters + moments + (int64_t)rf_arena_memory_used(t->arena),
              .copy = t->config.checkpoint.async ? (int64_t)shards.parameters + moments : 0,
              .step = rf_plan_memory_step(&sizes, rf_mesh_sequence_size(t->mesh))};
  return RF_OK;
}

/* What the run need not have on this rank; below 0: the limit is too low. */
static int64_t memory_left_over(const rf_trainer *t, const need *n) {
  const int64_t free = rf_process_available_bytes() / rf_host_ranks(t->mesh);
  return rf_plan_memory_left(t->config.training.memory_limit, n->there, n->copy + n->step, free);
}

rf_status rf_trainer_choose_stash(rf_trainer *t) {
  t->stash = (rf_stash_summary){0};
  if (t->config.training.memory_limit == 0) return RF_OK;
  need n;
  RF_TRY(memory_need_of(t, &n));
  const int64_t bytes = memory_left_over(t, &n);
  if (bytes < 0)
    rf_log_warn("training.memory_limit: %.0f MiB are less than the %.0f MiB that the run may need anyway; no "
                "activations are kept",
                mebibytes(n.there + n.copy + n.step + bytes), mebibytes(n.there + n.copy + n.step));
  return rf_model_stash(t->model, t->sequences.micro, t->sequences.padded, bytes > 0 ? bytes : 0, &t->stash);
}

void rf_trainer_say_stash(const rf_trainer *t) {
  char what[256];
  if (t->stash.bytes == 0) return;
  rf_log_info("kept of %lld layers: %s; %.0f MiB a rank", (long long)t->config.model.n_layers,
              rf_stash_describe(&t->stash, what, sizeof what), mebibytes(t->stash.bytes));
}
