#include "nn/attention.h"
#include "kernel/parallel.h"
#include "nn/attention_project.h"
#include "nn/attention_rows.h"

/* Most bytes that the transients of one wave may take; a single pair may need more. Large enough that short sequences
 * take all heads at once (wide products are faster), small beside the four streams of a long one. */
#define WAVE_BYTES ((int64_t)512 << 20)

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

/* Bytes that the transients of a (sequence, head) take at a rank, about; the same on all ranks, whose tokens may differ
 * by one. q, k, v, o and their gradients, of the rank's own tokens and, on several ranks, of the rows it owns: up to
 * one for each round of a token, of all tokens where ranks are no more than rounds. */
static int64_t bytes_of_pair(const rf_sublayer *self, const rf_call *call, int64_t ranks) {
  const int64_t arrays = 8, tokens = rf_ceil_div(call->length, ranks);
  const int64_t rows = ranks == 1 ? 0 : rf_min(ranks, self->config->lsh.n_hashes) * tokens;
  return (tokens + rows) * self->config->model.d_head * arrays * (int64_t)sizeof(real);
}

/* Heads and sequences of a wave: all heads of as many sequences as fit, else some heads of one sequence. On several
 * sequence ranks two waves are under way at once, so that one's rows travel while the other computes, and what waves
 * may take falls with the ranks, as what is kept does. */
static void wave_size(const rf_sublayer *self, const rf_call *call, int64_t *sequences, int64_t *heads) {
  const int64_t ranks = rf_mesh_sequence_size(call->mesh), n_heads = self->config->model.n_heads;
  const int64_t all = call->wave_bytes > 0 ? call->wave_bytes : WAVE_BYTES;
  int64_t pairs = (ranks > 1 ? all / (2 * ranks) : all) / bytes_of_pair(self, call, ranks);
  if (ranks > 1) pairs = rf_min(pairs, call->sequences * n_heads / 2);
  pairs = rf_max(1, pairs);
  *heads = rf_min(pairs, n_heads);
  *sequences = rf_max(1, rf_min(call->sequences, pairs / n_heads));
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
 * before. */
static rf_status project(rf_wave *w, const attention_task *task) {
  RF_TRY(rf_side_take(w->call->scratch, rf_wave_pairs(w) * w->call->tokens, w->rows * w->width, w->shared_qk,
                      task->reverse, &w->home));
  RF_TRY_IN(w->call->phases, RF_PHASE_PROJECT, rf_wave_project(w, task->params, task->x));
  RF_TRY_IN(w->call->phases, RF_PHASE_PLAN, w->self->ops->attention->prepare(w, task->saved, task->reverse));
  RF_TRY(rf_wave_take_owner(w, task->reverse));
  return rf_wave_scatter(w);
}

static rf_status attend_here(rf_wave *w) {
  rf_wave_scale_keys(w);
  return w->self->ops->attention->attend(&w->windows, w->call->scratch);
}

static rf_status attend(rf_wave *w, const attention_task *task) {
  (void)task;
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_ATTEND, attend_here(w));
  return rf_wave_gather(w);
}

static rf_status output(rf_wave *w, const attention_task *task) {
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output(w, task->params, task->sign, task->y));
  if (!task->reverse) return RF_OK;
  RF_TRY_IN(w->call->phases, RF_PHASE_OUTPUT, rf_wave_output_vjp(w, task->params, task->dy, task->dparams));
  return rf_wave_scatter_vjp(w);
}

static rf_status attend_vjp(rf_wave *w, const attention_task *task) {
  (void)task;
  RF_TRY(rf_wave_arrive(w));
  RF_TRY_IN(w->call->phases, RF_PHASE_ATTEND, w->self->ops->attention->attend_vjp(&w->windows, w->call->scratch));
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
enum { FORWARD_STAGES = 3, STAGES = 5, AT_ONCE = 2 };

static rf_status run_together(rf_wave *waves, int n, const attention_task *task) {
  rf_status (*const stages[STAGES])(rf_wave *, const attention_task *) = {project, attend, output, attend_vjp,
                                                                          project_vjp};
  for (int stage = 0; stage < (task->reverse ? STAGES : FORWARD_STAGES); stage++)
    for (int i = 0; i < n; i++) RF_TRY(stages[stage](&waves[i], task));
  return RF_OK;
}

/* Wave `index`; sequences and heads: of a wave. */
static rf_wave wave_at(const rf_sublayer *self, const rf_call *call, int64_t index, int64_t sequences, int64_t heads) {
  const int64_t across = rf_ceil_div(self->config->model.n_heads, heads);
  rf_wave wave = {.self = self, .call = call, .shared_qk = self->ops->attention->shared_qk(self)};
  wave.first_sequence = index / across * sequences;
  wave.first_head = index % across * heads;
  wave.n_sequences = rf_min(sequences, call->sequences - wave.first_sequence);
  wave.n_heads = rf_min(heads, self->config->model.n_heads - wave.first_head);
  wave.rows = wave.n_sequences * call->tokens;
  wave.width = wave.n_heads * self->config->model.d_head;
  return wave;
}

static rf_status run_waves(const rf_sublayer *self, const rf_call *call, const attention_task *task) {
  int64_t sequences, heads;
  wave_size(self, call, &sequences, &heads);
  const int64_t n = rf_ceil_div(call->sequences, sequences) * rf_ceil_div(self->config->model.n_heads, heads);
  const int64_t at_once = rf_mesh_sequence_size(call->mesh) > 1 ? AT_ONCE : 1;
  for (int64_t first = 0; first < n; first += at_once) {
    const int some = (int)rf_min(at_once, n - first);
    const rf_mark mark = rf_arena_mark(call->scratch), plan = rf_arena_mark(call->plans);
    rf_wave waves[AT_ONCE];
    for (int i = 0; i < some; i++) {
      waves[i] = wave_at(self, call, first + i, sequences, heads);
      waves[i].messages = call->messages[i] ? call->messages[i] : call->scratch;
    }
    RF_TRY(run_together(waves, some, task));
    rf_arena_release(call->plans, plan);
    rf_arena_release(call->scratch, mark);
  }
  return RF_OK;
}

size_t rf_attention_saved_bytes(const rf_sublayer *self, const rf_call *call) {
  return self->ops->attention->saved_bytes(self, call);
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
