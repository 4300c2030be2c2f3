#include "nn/wave.h"
#include "base/integers.h"
#include "comm/mesh.h"

/* Most bytes that the transients of one wave may take; a single pair may need more. Large enough that short sequences
 * take all heads at once (wide products are faster), small beside the four streams of a long one. */
#define WAVE_BYTES ((int64_t)512 << 20)

/* Most bytes of the pairs of waves that go at once, below which a wave cannot go. */
#define AT_ONCE_BYTES ((int64_t)1 << 30)

int64_t rf_most_rows(const rf_slot_layout *layout, int64_t length, int64_t ranks) {
  const int64_t chunks = rf_ceil_div(layout->rounds * (length / layout->chunk), ranks);
  return rf_min(length, (layout->chunks_before + chunks + layout->chunks_after) * layout->chunk);
}

/* Numbers in the arrays of a pair on both sides, reverse, nothing saved: about, and the same on all ranks and levels.
 */
static int64_t pair_reals(const rf_sublayer *self, const rf_call *call) {
  const int64_t ranks = rf_mesh_sequence_size(call->mesh), dh = self->config->model.d_head;
  const int64_t separate = rf_sublayer_shared_qk(self) ? 0 : 1; /* one array more, of keys or their gradient */
  if (ranks == 1) return call->length * dh * (6 + separate);
  const rf_slot_layout layout = self->ops->attention->layout(self, call);
  return dh * (rf_ceil_div(call->length, ranks) * (2 + separate) +
               rf_most_rows(&layout, call->length, ranks) * (6 + separate));
}

/* Heads and sequences of a wave: all heads of as many sequences as fit, else some heads of one sequence; and how many
 * waves go at once. On several sequence ranks that is two, so that one's rows travel while the other computes, unless
 * two would take too much; and what waves may take falls with the ranks, as what is saved does. Its level
 * does not count: at every level waves are the same, and so are the bits. */
rf_wave_size rf_wave_size_of(const rf_sublayer *self, const rf_call *call) {
  const int64_t ranks = rf_mesh_sequence_size(call->mesh), n_heads = self->config->model.n_heads;
  const int64_t all = call->wave_bytes > 0 ? call->wave_bytes : WAVE_BYTES;
  const int64_t pair = pair_reals(self, call) * (int64_t)sizeof(real);
  rf_wave_size size = {.at_once = ranks > 1 && RF_WAVES_AT_ONCE * pair <= AT_ONCE_BYTES ? RF_WAVES_AT_ONCE : 1};
  int64_t pairs = (ranks > 1 ? all / (2 * ranks) : all) / pair;
  if (ranks > 1) pairs = rf_min(pairs, call->sequences * n_heads / 2);
  pairs = rf_max(1, pairs);
  size.heads = rf_min(pairs, n_heads);
  size.sequences = rf_max(1, rf_min(call->sequences, pairs / n_heads));
  return size;
}

rf_wave rf_wave_at(const rf_sublayer *self, const rf_call *call, int64_t index, rf_wave_size size) {
  const int64_t across = rf_ceil_div(self->config->model.n_heads, size.heads);
  rf_wave wave = {.self = self, .call = call, .shared_qk = rf_sublayer_shared_qk(self)};
  wave.first_sequence = index / across * size.sequences;
  wave.first_head = index % across * size.heads;
  wave.n_sequences = rf_min(size.sequences, call->sequences - wave.first_sequence);
  wave.n_heads = rf_min(size.heads, self->config->model.n_heads - wave.first_head);
  wave.rows = wave.n_sequences * call->tokens;
  wave.width = wave.n_heads * self->config->model.d_head;
  return wave;
}

rf_exchange_shape rf_wave_exchange_shape(const rf_sublayer *self, const rf_call *call, const rf_slot_layout *layout,
                                         int64_t pairs) {
  return (rf_exchange_shape){.pairs = pairs,
                             .rounds = layout->rounds,
                             .tokens = call->length,
                             .chunk = layout->chunk,
                             .chunks_before = layout->chunks_before,
                             .chunks_after = layout->chunks_after,
                             .n_buckets = layout->n_buckets,
                             .rounds_travel = layout->rounds_travel,
                             .wire = self->config->mesh.wire};
}
