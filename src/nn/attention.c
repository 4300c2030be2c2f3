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

/* Heads and sequences of a wave: all heads of as many sequences as fit, else some heads of one sequence. */
static void wave_size(const rf_sublayer *self, const rf_call *call, int64_t *sequences, int64_t *heads) {
  const rf_model_config *m = &self->config->model;
  const int64_t arrays = 8; /* q, k, v, o and their gradients */
  const int64_t bytes = call->wave_bytes > 0 ? call->wave_bytes : WAVE_BYTES;
  const int64_t pairs = rf_max(1, bytes / (call->tokens * m->d_head * arrays * (int64_t)sizeof(real)));
  *heads = rf_min(pairs, m->n_heads);
  *sequences = rf_max(1, rf_min(call->sequences, pairs / m->n_heads));
}

static rf_status take_home(rf_wave *w, bool reverse) {
  rf_arena *arena = w->call->scratch;
  rf_side *s = &w->home;
  const int64_t big = w->rows * w->width, small = rf_wave_pairs(w) * w->call->tokens;
  const struct {
    real **pointer;
    int64_t count;
    bool used;
  } parts[] = {
      {&s->q, big, true},     {&s->k, big, !w->shared_qk}, {&s->v, big, true},      {&s->o, big, true},
      {&s->m, small, true},   {&s->z, small, true},        {&s->d_o, big, reverse}, {&s->delta, small, reverse},
      {&s->dq, big, reverse}, {&s->dk, big, reverse},      {&s->dv, big, reverse},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i].used) RF_TRY(rf_arena_take(arena, (size_t)parts[i].count, sizeof(real), parts[i].pointer));
  if (w->shared_qk) s->k = s->q;
  return RF_OK;
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

static rf_status run_wave(rf_wave *w, const attention_task *task) {
  const rf_attention_ops *kind = w->self->ops->attention;
  RF_TRY(take_home(w, task->reverse));
  RF_TRY(rf_wave_project(w, task->params, task->x));
  RF_TRY(kind->prepare(w, task->saved, task->reverse));
  RF_TRY(rf_wave_take_owner(w, task->reverse));
  RF_TRY(rf_wave_scatter(w));
  RF_TRY(kind->attend(&w->windows, w->call->scratch));
  RF_TRY(rf_wave_gather(w));
  RF_TRY(rf_wave_output(w, task->params, task->sign, task->y));
  if (!task->reverse) return RF_OK;
  RF_TRY(rf_wave_output_vjp(w, task->params, task->dy, task->dparams));
  RF_TRY(rf_wave_scatter_vjp(w));
  RF_TRY(kind->attend_vjp(&w->windows, w->call->scratch));
  RF_TRY(rf_wave_gather_vjp(w));
  return rf_wave_project_vjp(w, task->params, task->x, task->dx, task->dparams);
}

static rf_status run_waves(const rf_sublayer *self, const rf_call *call, const attention_task *task) {
  int64_t sequences, heads;
  wave_size(self, call, &sequences, &heads);
  for (int64_t s = 0; s < call->sequences; s += sequences)
    for (int64_t h = 0; h < self->config->model.n_heads; h += heads) {
      rf_wave wave = {.self = self, .call = call, .first_sequence = s, .first_head = h};
      wave.n_sequences = rf_min(sequences, call->sequences - s);
      wave.n_heads = rf_min(heads, self->config->model.n_heads - h);
      wave.rows = wave.n_sequences * call->tokens;
      wave.width = wave.n_heads * self->config->model.d_head;
      wave.shared_qk = self->ops->attention->shared_qk(self);
      const rf_mark mark = rf_arena_mark(call->scratch), plan = rf_arena_mark(call->plans);
      RF_TRY(run_wave(&wave, task));
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
