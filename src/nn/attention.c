#include "nn/attention.h"
#include "base/integers.h"
#include "nn/attention_project.h"
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"

/* Most bytes that the transients of one wave may take; a single pair may need more. Large enough that short sequences
 * take all heads at once (wide products are faster), small beside the four streams of a long one. */
#define WAVE_BYTES ((int64_t)512 << 20)

/* Waves that go at once on several ranks, and most bytes of so many pairs, below which a wave cannot go. */
enum { AT_ONCE = 2 };
#define AT_ONCE_BYTES ((int64_t)1 << 30)

rf_status rf_attention_describe(const rf_sublayer *self, const char *prefix, rf_block *block) {
  const rf_model_config *m = &self->config->model;
  const bool shared = self->ops->attention->shared_qk(self);
  const int64_t d[] = {m->d_model}, in[] = {m->n_heads * m->d_head, m->d_model}, out[] = {m->d_model, in[0]};
  RF_TRY(rf_block_add(block, RF_INIT_ONE, 1, d, "%s.attention.norm.scale", prefix));
  RF_TRY(rf_block_add(block, RF_INIT_ZERO, 1, d, "%s.attention.norm.bias", prefix));
  RF_TRY(rf_block_add(block, RF_INIT_NORMAL, 2, in, "%s.attention.%s.weight", prefix, shared ? "query_key" : "query"));
  if (!shared) RF_TRY(rf_block_add(block, RF_INIT_NORMAL, 2, in, "%s.attention.key.weight", prefix));
  RF_TRY(rf_block_add(block, RF_INIT_NORMAL, 2, in, "%s.attention.value.weight", prefix));
  return rf_block_add(block, RF_INIT_NORMAL, 2, out, "%s.attention.output.weight", prefix);
}

/* Heads and sequences of a wave: all heads of as many sequences as fit, else some heads of one sequence; and how many
 * waves go at once. On several sequence ranks that is two, so that one's rows travel while the other computes, unless
 * two would take too much; and what waves may take falls with the ranks, as what is kept does. The level of keeping
 * does not count: at every level waves are the same, and so are the bits. */
rf_wave_size rf_wave_size_of(const rf_sublayer *self, const rf_call *call) {
  const int64_t ranks = rf_mesh_sequence_size(call->mesh), n_heads = self->config->model.n_heads;
  const int64_t all = call->wave_bytes > 0 ? call->wave_bytes : WAVE_BYTES;
  const int64_t pair = rf_pair_reals(self, call) * (int64_t)sizeof(real);
  rf_wave_size size = {.at_once = ranks > 1 && AT_ONCE * pair <= AT_ONCE_BYTES ? AT_ONCE : 1};
  int64_t pairs = (ranks > 1 ? all / (2 * ranks) : all) / pair;
  if (ranks > 1) pairs = rf_min(pairs, call->sequences * n_heads / 2);
  pairs = rf_max(1, pairs);
  size.heads = rf_min(pairs, n_heads);
  size.sequences = rf_max(1, rf_min(call->sequences, pairs / n_heads));
  return size;
}

/* What one wave does, in either direction. */
typedef struct attention_task {
  const real *params, *x;
  real sign, *y;
  void *saved;
  bool reverse;
  const real *dy;
  real *dx, *dparams;
} attention_task;

/* The stages of a wave. Each but the last starts rows on their way, and each but the first waits for those of the one
 * before. In the reverse direction what is kept of the forward pass is neither computed nor sent again. */
static rf_status project(rf_wave *w, const attention_task *task) {
  rf_wave_find_saved(w, task->saved, task->reverse);
  RF_TRY(rf_wave_take_home(w, task->reverse));
  if (w->kept < RF_KEEPS_ROWS) RF_TRY_IN(w->call->phases, RF_PHASE_PROJECT, rf_wave_project(w, task->params, task->x));
  RF_TRY_IN(w->call->phases, RF_PHASE_PLAN, w->self->ops->attention->prepare(w, task->saved, task->reverse));
  RF_TRY(rf_wave_take_owner(w, task->reverse));
  return w->kept < RF_KEEPS_ROWS ? rf_wave_scatter(w) : RF_OK;
}

static rf_status attend_here(rf_wave *w) {
  rf_wave_scale_keys(w);
  return w->self->ops->attention->attend(&w->windows, w->call->scratch);
}

static rf_status attend(rf_wave *w, const attention_task *task) {
  (void)task;
  if (w->kept >= RF_KEEPS_OUTPUT) return RF_OK; /* queries and values may go on travelling */
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_ATTEND, attend_here(w));
  return rf_wave_gather(w);
}

static rf_status output(rf_wave *w, const attention_task *task) {
  if (w->kept < RF_KEEPS_OUTPUT) RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output(w, task->params, task->sign, task->y));
  if (!task->reverse) return RF_OK;
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output_vjp(w, task->params, task->dy, task->dparams));
  return rf_wave_scatter_vjp(w);
}

static rf_status attend_here_vjp(rf_wave *w) {
  if (w->kept >= RF_KEEPS_OUTPUT) rf_wave_scale_keys(w);
  return w->self->ops->attention->attend_vjp(&w->windows, w->call->scratch);
}

static rf_status attend_vjp(rf_wave *w, const attention_task *task) {
  (void)task;
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_ATTEND, attend_here_vjp(w));
  return rf_wave_gather_vjp(w);
}

static rf_status project_vjp(rf_wave *w, const attention_task *task) {
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_PROJECT, rf_wave_project_vjp(w, task->params, task->x, task->dx, task->dparams));
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
  rf_status (*const stages[STAGES])(rf_wave *, const attention_task *) = {project, attend, output, attend_vjp,
                                                                          project_vjp};
  for (int stage = 0; stage < (task->reverse ? STAGES : FORWARD_STAGES); stage++)
    for (int i = 0; i < n; i++) RF_TRY(stages[stage](&waves[i], task));
  return RF_OK;
}

rf_wave rf_wave_at(const rf_sublayer *self, const rf_call *call, int64_t index, rf_wave_size size) {
  const int64_t across = rf_ceil_div(self->config->model.n_heads, size.heads);
  rf_wave wave = {.self = self, .call = call, .shared_qk = self->ops->attention->shared_qk(self)};
  wave.first_sequence = index / across * size.sequences;
  wave.first_head = index % across * size.heads;
  wave.n_sequences = rf_min(size.sequences, call->sequences - wave.first_sequence);
  wave.n_heads = rf_min(size.heads, self->config->model.n_heads - wave.first_head);
  wave.rows = wave.n_sequences * call->tokens;
  wave.width = wave.n_heads * self->config->model.d_head;
  return wave;
}

static rf_status run_waves(const rf_sublayer *self, const rf_call *call, const attention_task *task) {
  const rf_wave_size size = rf_wave_size_of(self, call);
  const int64_t n = rf_ceil_div(call->sequences, size.sequences) * rf_ceil_div(self->config->model.n_heads, size.heads);
  for (int64_t first = 0; first < n; first += size.at_once) {
    const int some = (int)rf_min(size.at_once, n - first);
    const rf_mark mark = rf_arena_mark(call->scratch), plan = rf_arena_mark(call->plans);
    rf_wave waves[AT_ONCE];
    for (int i = 0; i < some; i++) {
      waves[i] = rf_wave_at(self, call, first + i, size);
      waves[i].messages = call->messages[i] ? call->messages[i] : call->scratch;
    }
    RF_TRY(run_together(waves, some, task));
    rf_arena_release(call->plans, plan);
    rf_arena_release(call->scratch, mark);
  }
  return RF_OK;
}

rf_status rf_attention_apply(const rf_sublayer *self, const rf_call *call, const real *params, const real *x, real sign,
                             real *y, void *saved) {
  const attention_task task = {.params = params, .x = x, .sign = sign, .y = y, .saved = saved};
  return run_waves(self, call, &task);
}

rf_status rf_attention_apply_vjp(const rf_sublayer *self, const rf_call *call, const real *params, const real *x,
                                 const real *dy, real *y, real *dx, real *dparams, const void *saved) {
  const attention_task task = {.params = params,
                               .x = x,
                               .sign = -1,
                               .y = y,
                               .saved = (void *)(uintptr_t)saved,
                               .reverse = true,
                               .dy = dy,
                               .dx = dx,
                               .dparams = dparams};
  return run_waves(self, call, &task);
}
