#include "nn/attention.h"
#include "base/integers.h"
#include "nn/attention_project.h"
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"
#include "nn/attention_traffic.h"
#include <stdio.h>

rf_status rf_attention_describe(const rf_sublayer *self, const char *prefix, rf_block *block) {
  rf_tensor_entry table[RF_ATTENTION_TENSORS];
  char name[RF_MAX_NAME];
  rf_attention_tensors(&self->config->model, rf_sublayer_shared_qk(self), table);
  snprintf(name, sizeof name, "%s.attention", prefix);
  return rf_tensors_describe(RF_ATTENTION_TENSORS, table, name, block);
}

/* What one wave does, in either direction. */
typedef struct attention_task {
  rf_sublayer_vjp arrays; /* forward: params, x and y */
  real sign;
  void *saved;
  bool reverse;
} attention_task;

/* The stages of a wave. Each but the last starts rows on their way, and each but the first waits for those of the one
 * before. In the reverse direction what was saved of the forward pass is neither computed nor sent again. */
static rf_status stage_project(rf_wave *w, const attention_task *task) {
  RF_TRY(rf_wave_find_saved(w, task->saved, task->reverse));
  RF_TRY(rf_wave_take_home(w, task->reverse));
  if (w->level < RF_LEVEL_ROWS)
    RF_TRY_IN(w->call->phases, RF_PHASE_PROJECT, rf_wave_project(w, task->arrays.params, task->arrays.x));
  RF_TRY_IN(w->call->phases, RF_PHASE_PLAN, w->self->ops->attention->prepare(w, task->saved, task->reverse));
  RF_TRY(rf_wave_take_owner(w, task->reverse));
  return w->level < RF_LEVEL_ROWS ? rf_wave_scatter(w) : RF_OK;
}

static rf_status attend_wave(rf_wave *w) {
  rf_wave_scale_keys(w);
  return w->self->ops->attention->attend(&w->windows, w->call->scratch);
}

static rf_status stage_attend(rf_wave *w, const attention_task *task) {
  (void)task;
  if (w->level >= RF_LEVEL_OUTPUT) return RF_OK; /* queries and values may go on travelling */
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_ATTEND, attend_wave(w));
  return rf_wave_gather(w);
}

static rf_status stage_output(rf_wave *w, const attention_task *task) {
  if (w->level < RF_LEVEL_OUTPUT) RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output(w, task->arrays.params, task->sign, task->arrays.y));
  if (!task->reverse) return RF_OK;
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output_vjp(w, &task->arrays));
  return rf_wave_scatter_vjp(w);
}

static rf_status attend_wave_vjp(rf_wave *w) {
  if (w->level >= RF_LEVEL_OUTPUT || w->parts > 1) rf_wave_scale_keys(w); /* else it was done for the outputs */
  return w->self->ops->attention->attend_vjp(&w->windows, w->call->scratch);
}

static rf_status stage_attend_vjp(rf_wave *w, const attention_task *task) {
  (void)task;
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_ATTEND, attend_wave_vjp(w));
  return rf_wave_gather_vjp(w);
}

static rf_status stage_project_vjp(rf_wave *w, const attention_task *task) {
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_PROJECT, rf_wave_project_vjp(w, &task->arrays));
  return RF_OK;
}

/* Waves go in twos, stage by stage, so that the rows of one travel while the other computes:
 *
 *   wave 0   project | attend .. | output .. | attend_vjp .. | project_vjp
 *                 \ rows travel /        \ rows travel /
 *   wave 1           project | attend ..   | output .. | attend_vjp ..
 *
 * With one sequence rank nothing travels, and they go one by one. */
enum { FORWARD_STAGES = 3, STAGES = 5 };

static rf_status run_together(rf_wave *waves, int n, const attention_task *task) {
  rf_status (*const stages[STAGES])(rf_wave *, const attention_task *) = {stage_project, stage_attend, stage_output,
                                                                          stage_attend_vjp, stage_project_vjp};
  for (int stage = 0; stage < (task->reverse ? STAGES : FORWARD_STAGES); stage++)
    for (int i = 0; i < n; i++) RF_TRY(stages[stage](&waves[i], task));
  return RF_OK;
}

/* --- Parts ---------------------------------------------------------------------------------------- */

/* Where a rank cannot have all rows that it owns of a wave, it has them part after part, two at once; what is at home,
 * projections and outputs, is whole:
 *
 *   project | part 0: send, attend | part 1 .. | output | part 0: send, attend_vjp | part 1 .. | project_vjp
 *
 * Outputs of all parts are needed before the first gradient, so that queries and values go to the owners twice. */
static rf_status send_part(rf_wave *w, const attention_task *task, bool vjp) {
  RF_TRY_IN(w->call->phases, RF_PHASE_PLAN, w->self->ops->attention->prepare(w, task->saved, task->reverse));
  RF_TRY(rf_wave_take_owner(w, vjp));
  RF_TRY(rf_wave_scatter(w));
  return vjp ? rf_wave_scatter_vjp(w) : RF_OK;
}

static rf_status part_send(rf_wave *w, const attention_task *task) { return send_part(w, task, false); }
static rf_status part_send_vjp(rf_wave *w, const attention_task *task) { return send_part(w, task, true); }

static rf_status part_merge(rf_wave *w, const attention_task *task) {
  (void)task;
  return rf_wave_arrive(w);
}

static void set_out(rf_wave *w, int place, rf_exchange_expectation *expected) {
  const rf_call *call = w->call;
  w->messages = call->messages[place] ? call->messages[place] : call->scratch;
  if (!rf_arena_counts(call->scratch)) return;
  *expected = rf_attention_expect(w->self, call, rf_wave_cut_of(w));
  w->expected = expected;
}

static rf_status run_parts(const rf_wave *whole, bool vjp, int at_once, const attention_task *task) {
  enum { STAGES_OF_PART = 3 };
  rf_status (*const stages[][STAGES_OF_PART])(rf_wave *, const attention_task *) = {
      {part_send, stage_attend, part_merge}, {part_send_vjp, stage_attend_vjp, part_merge}};
  const rf_call *call = whole->call;
  const int64_t n = rf_arena_counts(call->scratch) ? at_once : whole->parts; /* later ones take the same */
  for (int64_t first = 0; first < n; first += at_once) {
    const int some = (int)rf_min(at_once, n - first);
    const rf_mark mark = rf_arena_mark(call->scratch), plan = rf_arena_mark(call->plans);
    rf_wave parts[RF_WAVES_AT_ONCE];
    rf_exchange_expectation expected[RF_WAVES_AT_ONCE];
    for (int i = 0; i < some; i++) {
      parts[i] = *whole;
      parts[i].part = first + i;
      set_out(&parts[i], i, &expected[i]);
    }
    for (int stage = 0; stage < STAGES_OF_PART; stage++)
      for (int i = 0; i < some; i++) RF_TRY(stages[vjp][stage](&parts[i], task));
    rf_arena_release(call->plans, plan);
    rf_arena_release(call->scratch, mark);
  }
  return RF_OK;
}

static rf_status run_in_parts(rf_wave *w, int at_once, const attention_task *task) {
  const rf_sublayer_vjp *arrays = &task->arrays;
  RF_TRY(rf_wave_find_saved(w, task->saved, task->reverse));
  RF_TRY(rf_wave_take_home(w, task->reverse));
  RF_TRY_IN(w->call->phases, RF_PHASE_PROJECT, rf_wave_project(w, arrays->params, arrays->x));
  if (w->level < RF_LEVEL_OUTPUT) RF_TRY(run_parts(w, false, at_once, task));
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output(w, arrays->params, task->sign, arrays->y));
  if (!task->reverse) return RF_OK;
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output_vjp(w, arrays));
  RF_TRY(run_parts(w, true, at_once, task));
  RF_TRY_IN(w->call->phases, RF_PHASE_PROJECT, rf_wave_project_vjp(w, arrays));
  return RF_OK;
}

/* --- Waves ---------------------------------------------------------------------------------------- */

static rf_status run_waves(const rf_sublayer *self, const rf_call *call, const attention_task *task) {
  const rf_wave_size size = rf_wave_size_of(self, call);
  const int64_t all =
      rf_ceil_div(call->sequences, size.sequences) * rf_ceil_div(self->config->model.n_heads, size.heads);
  const int at_once = size.parts > 1 ? 1 : size.at_once;
  const int64_t n = rf_arena_counts(call->scratch) ? rf_min(all, at_once) : all; /* no later ones are larger */
  for (int64_t first = 0; first < n; first += at_once) {
    const int some = (int)rf_min(at_once, n - first);
    const rf_mark mark = rf_arena_mark(call->scratch), plan = rf_arena_mark(call->plans);
    rf_wave waves[RF_WAVES_AT_ONCE];
    rf_exchange_expectation expected[RF_WAVES_AT_ONCE];
    for (int i = 0; i < some; i++) {
      waves[i] = rf_wave_at(self, call, first + i, size);
      set_out(&waves[i], i, &expected[i]);
    }
    RF_TRY(size.parts > 1 ? run_in_parts(&waves[0], size.at_once, task) : run_together(waves, some, task));
    rf_arena_release(call->plans, plan);
    rf_arena_release(call->scratch, mark);
  }
  return RF_OK;
}

rf_status rf_attention_apply(const rf_sublayer *self, const rf_call *call, const real *params, const real *x, real sign,
                             real *y, void *saved) {
  const attention_task task = {.arrays = {.params = params, .x = x, .y = y}, .sign = sign, .saved = saved};
  return run_waves(self, call, &task);
}

rf_status rf_attention_apply_vjp(const rf_sublayer *self, const rf_call *call, const rf_sublayer_vjp *arrays) {
  const attention_task task = {
      .arrays = *arrays, .sign = -1, .saved = (void *)(uintptr_t)arrays->saved, .reverse = true};
  return run_waves(self, call, &task);
}
