/* Local attention: chunks of neighbouring tokens, separate queries and keys. LSH attention's windows with all tokens in
 * one bucket and one round, so that slots are positions: over several ranks, only chunks that a rank edge cuts and
 * their neighbours travel. A sequence that fits one chunk is attended whole. */
#include "nn/attention.h"
#include "lsh/window_attention.h"
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"

static size_t local_bucket_bytes(const rf_sublayer *self, const rf_call *call) {
  (void)self, (void)call;
  return 0;
}

static rf_slot_layout local_layout(const rf_sublayer *self, const rf_call *call) {
  const rf_local_config *local = &self->config->local;
  rf_slot_layout layout = {.rounds = 1, .chunk = call->length, .n_buckets = 1};
  if (call->length > local->chunk) {
    layout.chunk = local->chunk;
    layout.chunks_before = local->chunks_before;
    layout.chunks_after = local->chunks_after;
  }
  return layout;
}

static rf_status prepare_local(rf_wave *w, void *buckets, bool reverse) {
  (void)buckets, (void)reverse;
  const rf_slot_layout layout = local_layout(w->self, w->call);
  return rf_wave_plan(w, &layout);
}

static const rf_attention_ops local_ops = {RF_ATTENTION_LOCAL, local_bucket_bytes, local_layout,
                                           prepare_local,      rf_windows_attend,  rf_windows_attend_vjp};

const rf_sublayer_ops rf_local_attention_ops = {rf_attention_describe, RF_ATTENTION_LEVELS,    rf_attention_saved_bytes,
                                                rf_attention_apply,    rf_attention_apply_vjp, &local_ops};
