#include "nn/attention.h"
#include "kernel/parallel.h"
#include "nn/attention_project.h"
#include <string.h>

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

static rf_status take_wave(rf_wave *w, bool reverse) {
  rf_arena *arena = w->call->scratch;
  const int64_t big = w->rows * w->width, small = rf_wave_pairs(w) * w->call->tokens;
  const struct {
    real **pointer;
    int64_t count;
    bool used;
  } parts[] = {
      {&w->q, big, true},
      {&w->k, big, !w->shared_qk},
      {&w->v, big, true},
      {&w->o, big, true},
      {&w->m, small, true},
      {&w->z, small, true},
      {&w->key_scale, small, w->shared_qk},
      {&w->d_o, big, reverse},
      {&w->delta, small, reverse},
      {&w->dq, big, reverse},
      {&w->dk, big, reverse},
      {&w->dv, big, reverse},
  };
  for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
    if (parts[i].used) RF_TRY(rf_arena_take(arena, (size_t)parts[i].count, sizeof(real), parts[i].pointer));
  if (w->shared_qk) w->k = w->q;
  return RF_OK;
}

static void clear(real *x, int64_t n) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; i++) x[i] = 0;
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
  RF_TRY(take_wave(w, task->reverse));
  RF_TRY(rf_wave_project(w, task->params, task->x));
  RF_TRY(kind->prepare(w, task->saved, task->reverse));
  RF_TRY(kind->attend(&w->windows, w->call->scratch));
  RF_TRY(rf_wave_output(w, task->params, task->sign, task->y));
  if (!task->reverse) return RF_OK;
  RF_TRY(rf_wave_output_vjp(w, task->params, task->dy, task->dparams));
  clear(w->dq, w->rows * w->width);
  clear(w->dk, w->rows * w->width);
  clear(w->dv, w->rows * w->width);
  RF_TRY(kind->attend_vjp(&w->windows, w->call->scratch));
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
      const rf_mark mark = rf_arena_mark(call->scratch);
      RF_TRY(run_wave(&wave, task));
      rf_arena_release(call->scratch, mark);
    }
  return RF_OK;
}

size_t rf_attention_saved_bytes(const rf_sublayer *self, int64_t sequences, int64_t tokens) {
  return self->ops->attention->saved_bytes(self, sequences, tokens);
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

static void fill_pairs(const rf_wave *w, rf_pair *pairs) {
  const int64_t tokens = w->call->tokens, dh = w->self->config->model.d_head;
  for (int64_t i = 0; i < rf_wave_pairs(w); i++) {
    const int64_t sequence = i / w->n_heads, head = i % w->n_heads;
    const int64_t at = sequence * tokens * w->width + head * dh, small = i * tokens;
    const int64_t in_call = w->first_sequence + sequence;
    pairs[i] = (rf_pair){.q = w->q + at,
                         .k = w->k + at,
                         .v = w->v + at,
                         .key_scale = w->shared_qk ? w->key_scale + small : NULL,
                         .mask = w->call->mask ? w->call->mask + in_call * tokens : NULL,
                         .head = (uint32_t)(w->first_head + head),
                         .sequence = w->call->sequence ? w->call->sequence[in_call] : 0,
                         .o = w->o + at,
                         .m = w->m + small,
                         .z = w->z + small};
    if (!w->dq) continue;
    pairs[i].d_o = w->d_o + at;
    pairs[i].delta = w->delta + small;
    pairs[i].dq = w->dq + at;
    pairs[i].dk = w->dk + at;
    pairs[i].dv = w->dv + at;
  }
}

rf_status rf_wave_prepare_windows(rf_wave *w) {
  const rf_model_config *m = &w->self->config->model;
  rf_pair *pairs;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)rf_wave_pairs(w), sizeof *pairs, &pairs));
  fill_pairs(w, pairs);
  w->windows = (rf_windows){.tokens = w->call->tokens,
                            .d_head = m->d_head,
                            .ld = w->width,
                            .rounds = 1,
                            .chunk = w->call->tokens,
                            .causal = m->causal,
                            .key_scale = 1 / rf_sqrt((real)m->d_head),
                            .rule = {.self_rule = w->shared_qk,
                                     .dropout = w->call->training ? m->attention_dropout : 0,
                                     .draw = rf_call_draw(w->call, w->self, RF_RNG_DROP_ATTENTION)},
                            .n_pairs = rf_wave_pairs(w),
                            .pairs = pairs};
  return RF_OK;
}
