/* Local attention: chunks of neighbouring tokens, separate queries and keys. LSH attention's windows with all tokens in
 * one bucket and one round, so that slots are positions: over several ranks, only chunks that a rank edge cuts and
 * their neighbours travel. A sequence that fits one chunk is attended whole. */
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"

static bool shared_qk(const rf_sublayer *self) {
  (void)self;
  return false;
}

static size_t bucket_bytes(const rf_sublayer *self, const rf_call *call) {
  (void)self, (void)call;
  return 0;
}

static rf_slot_layout layout_of(const rf_sublayer *self, const rf_call *call) {
  const rf_local_config *local = &self->config->local;
  rf_slot_layout layout = {.rounds = 1, .chunk = call->length, .n_buckets = 1};
  if (call->length > local->chunk) {
    layout.chunk = local->chunk;
    layout.chunks_before = local->chunks_before;
    layout.chunks_after = local->chunks_after;
  }
  return layout;
}

static rf_status prepare(rf_wave *w, void *buckets, bool reverse) {
  (void)buckets, (void)reverse;
  const rf_slot_layout layout = layout_of(w->self, w->call);
  return rf_wave_plan(w, &layout);
}

static const rf_attention_ops local_ops = {shared_qk, bucket_bytes,      layout_of,
                                           prepare,   rf_windows_attend, rf_windows_attend_vjp};

const rf_sublayer_ops rf_local_attention_ops = {
    rf_attention_describe, RF_ATTENTION_LEVELS, rf_attention_saved_bytes, rf_attention_apply, rf_attention_apply_vjp,
    rf_attention_measure,  &local_ops};
