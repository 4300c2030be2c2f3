/* Full attention: every query against every allowed key, exactly, in square blocks with a running (o, m, z), so that no
 * [tokens, tokens] matrix exists (Milakov and Gimelshein 2018; Dao et al. 2022). The baseline of every scaling
 * experiment.
 *
 * Over S ranks as ring attention (Liu et al. 2023): queries stay, keys and values travel around the ring. A causal mask
 * leaves late tokens more work, so each rank takes one early and one late piece of 2 S pieces:
 *
 *   pieces of the sequence   0 1 2 3 4 5 6 7      rank 0: 0 7    rank 1: 1 6    rank 2: 2 5    rank 3: 3 4
 *
 * That is an exchange as LSH attention's, with the pieces as buckets in the order 0 7 1 6 2 5 3 4 and chunks of one
 * slot. */
#include "nn/attention.h"
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"
#include "nn/ring.h"

static size_t full_bucket_bytes(const rf_sublayer *self, const rf_call *call) {
  (void)self, (void)call;
  return 0;
}

/* The place of a token's piece in the order 0, 2 S - 1, 1, 2 S - 2, ... */
static uint16_t zigzag(int64_t length, int64_t ranks, int64_t position) {
  const int64_t piece = rf_span_owner(length, 2 * ranks, position);
  return (uint16_t)(piece < ranks ? 2 * piece : 2 * (2 * ranks - 1 - piece) + 1);
}

static rf_slot_layout full_layout(const rf_sublayer *self, const rf_call *call) {
  (void)self;
  return (rf_slot_layout){
      .rounds = 1, .chunk = 1, .n_buckets = 2 * rf_mesh_sequence_size(call->mesh), .bucket_bytes = sizeof(uint16_t)};
}

static rf_status prepare_full(rf_wave *w, void *saved, bool reverse) {
  (void)saved, (void)reverse;
  const int64_t ranks = rf_mesh_sequence_size(w->call->mesh), tokens = w->call->tokens;
  uint16_t *pieces;
  const void **buckets;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)tokens, sizeof *pieces, &pieces));
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)rf_wave_pairs(w), sizeof *buckets, &buckets));
  for (int64_t t = 0; t < tokens && !w->expected; t++)
    pieces[t] = zigzag(w->call->length, ranks, w->call->first_token + t);
  for (int64_t p = 0; p < rf_wave_pairs(w) && !w->expected; p++) buckets[p] = pieces;
  rf_slot_layout layout = full_layout(w->self, w->call);
  layout.buckets = buckets;
  return rf_wave_plan(w, &layout);
}

static const rf_attention_ops full_ops = {RF_ATTENTION_FULL, full_bucket_bytes, full_layout,
                                          prepare_full,      rf_ring_attend,    rf_ring_attend_vjp};

const rf_sublayer_ops rf_full_attention_ops = {rf_attention_describe, RF_ATTENTION_LEVELS,    rf_attention_saved_bytes,
                                               rf_attention_apply,    rf_attention_apply_vjp, &full_ops};
