/* Local attention: chunks of neighbouring tokens, separate queries and keys. LSH attention's windows with slots in
 * token order and one round. A sequence that fits one chunk is attended whole. */
#include "nn/attention.h"

static bool shared_qk(const rf_sublayer *self) {
  (void)self;
  return false;
}

static size_t saved_bytes(const rf_sublayer *self, int64_t sequences, int64_t tokens) {
  (void)self, (void)sequences, (void)tokens;
  return 0;
}

static rf_status prepare(rf_wave *w, void *saved, bool recompute) {
  (void)saved, (void)recompute;
  const rf_local_config *local = &w->self->config->local;
  RF_TRY(rf_wave_prepare_windows(w));
  if (w->call->tokens <= local->chunk) return RF_OK;
  w->windows.chunk = local->chunk;
  w->windows.chunks_before = local->chunks_before;
  w->windows.chunks_after = local->chunks_after;
  return RF_OK;
}

static const rf_attention_ops local_ops = {shared_qk, saved_bytes, prepare, rf_windows_attend, rf_windows_attend_vjp};

const rf_sublayer_ops rf_local_attention_ops = {rf_attention_describe, rf_attention_saved_bytes, rf_attention_apply,
                                                rf_attention_apply_vjp, &local_ops};
