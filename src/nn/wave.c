#include "nn/wave.h"
#include "base/integers.h"
#include "comm/mesh.h"
#include <math.h>

/* Most bytes that the transients of one wave may take if it could be smaller; a single pair may need more. Large enough
 * that short sequences take all heads at once (wide products are faster), small beside the four streams of a long one.
 */
#define WAVE_BYTES ((int64_t)512 << 20)

/* Traffic that is by this much more than the least is as good. */
#define NEARLY 1.02

static rf_owners owners_of(const rf_sublayer *self, const rf_call *call, rf_wave_cut cut) {
  const rf_slot_layout layout = self->ops->attention->layout(self, call);
  const rf_exchange_shape shape = rf_wave_exchange_shape(self, call, &layout, cut);
  return rf_owners_of(&shape, rf_mesh_sequence_size(call->mesh));
}

int64_t rf_wave_most_rows(const rf_sublayer *self, const rf_call *call, int64_t pairs, int64_t parts) {
  const rf_slot_layout layout = self->ops->attention->layout(self, call);
  const rf_owners owners = owners_of(self, call, (rf_wave_cut){pairs, parts, 0});
  return rf_owners_most_rows(&owners, pairs, (rf_pair_size){call->length, layout.chunk});
}

static double expected_owners(const rf_sublayer *self, const rf_call *call, int64_t pairs, int64_t parts) {
  const rf_owners owners = owners_of(self, call, (rf_wave_cut){pairs, parts, 0});
  return rf_owners_expected(&owners);
}

double rf_wave_owners(const rf_sublayer *self, const rf_call *call) {
  const rf_wave_size size = rf_wave_size_of(self, call);
  return expected_owners(self, call, size.sequences * size.heads, size.parts);
}

static int64_t bytes_of_rows(const rf_sublayer *self, int64_t rows, int64_t arrays) {
  return rows * arrays * self->config->model.d_head * (int64_t)sizeof(real);
}

/* One array more, of keys or their gradient. */
static int64_t separate(const rf_sublayer *self) { return rf_sublayer_shared_qk(self) ? 0 : 1; }

/* Of the rows at an owner, reverse, nothing saved: about, and the same on all ranks and levels. */
static int64_t bytes_at_owner(const rf_sublayer *self, const rf_call *call, int64_t pairs, int64_t parts) {
  return bytes_of_rows(self, rf_wave_most_rows(self, call, pairs, parts), 6 + separate(self));
}

/* ... and of those at home, of a wave in one part. */
static int64_t bytes_of_wave(const rf_sublayer *self, const rf_call *call, int64_t pairs) {
  const int64_t ranks = rf_mesh_sequence_size(call->mesh);
  const int64_t home = ranks == 1 ? 0 : pairs * rf_ceil_div(call->length, ranks);
  return bytes_at_owner(self, call, pairs, 1) + bytes_of_rows(self, home, 2 + separate(self));
}

/* All heads of some sequences, or some heads of one. */
static rf_wave_size size_of_pairs(const rf_sublayer *self, const rf_call *call, int64_t pairs) {
  const int64_t n_heads = self->config->model.n_heads;
  return (rf_wave_size){.heads = rf_min(pairs, n_heads),
                        .sequences = rf_max(1, rf_min(call->sequences, pairs / n_heads)),
                        .parts = 1,
                        .at_once = 1};
}

/* The most pairs, one at least, of which a wave takes no more than `bytes`. Pairs that are each cut alone take
 * the same each. */
static int64_t most_pairs(const rf_sublayer *self, const rf_call *call, int64_t bytes) {
  return rf_max(1, bytes / bytes_of_wave(self, call, 1));
}

/* Most bytes of a wave on a rank of several: of rows at an owner, and of all if it could be smaller. */
typedef struct wave_limits {
  int64_t memory, little;
} wave_limits;

/* The next number of pairs that a wave may have: some heads of a sequence, or all of some sequences. */
static int64_t next_pairs(const rf_sublayer *self, int64_t pairs) {
  const int64_t n_heads = self->config->model.n_heads;
  return pairs < n_heads ? pairs + 1 : pairs + n_heads;
}

static bool is_in_memory(const rf_sublayer *self, const rf_call *call, int64_t pairs, int64_t memory) {
  return pairs == 1 || bytes_at_owner(self, call, pairs, 1) <= memory;
}

/* Pairs that are cut over the ranks as one: so many that their rows travel least, as far as memory allows. Of those
 * that are as good the most of which two waves can take turns in little memory; where there are none, the fewest. */
static int64_t pairs_to_spread(const rf_sublayer *self, const rf_call *call, wave_limits limits) {
  const int64_t all = call->sequences * self->config->model.n_heads, ranks = rf_mesh_sequence_size(call->mesh);
  const double once = (double)(ranks - 1) / (double)ranks; /* fewer there are not */
  double least = INFINITY;
  int64_t fewest = 0, best = 0;
  for (int64_t n = 1; n <= all && least > NEARLY * once && is_in_memory(self, call, n, limits.memory);
       n = next_pairs(self, n))
    least = fmin(least, expected_owners(self, call, n, 1));
  for (int64_t n = 1; n <= all && is_in_memory(self, call, n, limits.memory); n = next_pairs(self, n)) {
    const bool is_little = n <= all / 2 && bytes_of_wave(self, call, n) <= limits.little;
    if (fewest > 0 && !is_little) break;
    if (expected_owners(self, call, n, 1) > NEARLY * least) continue;
    if (fewest == 0) fewest = n;
    if (is_little) best = n;
  }
  return best > 0 ? best : fewest;
}

/* One pair's rows do not fit: the fewest parts of which two do. A part has a chunk of each round at least. */
static int64_t parts_of_pair(const rf_sublayer *self, const rf_call *call, int64_t memory) {
  const rf_owners owners = owners_of(self, call, (rf_wave_cut){1, 1, 0});
  const int64_t most = rf_max(1, owners.per_round / owners.ranks);
  int64_t parts = 1;
  while (parts < most && RF_WAVES_AT_ONCE * bytes_at_owner(self, call, 1, parts) > memory)
    parts = rf_min(2 * parts, most);
  return parts;
}

/* On several ranks. */
static rf_wave_size size_of_spread(const rf_sublayer *self, const rf_call *call, wave_limits limits) {
  const int64_t memory = self->config->mesh.wave_memory;
  rf_wave_size size = size_of_pairs(self, call, pairs_to_spread(self, call, limits));
  const int64_t pairs = size.sequences * size.heads;
  if (pairs == 1 && bytes_at_owner(self, call, 1, 1) > memory) size.parts = parts_of_pair(self, call, memory);
  if (RF_WAVES_AT_ONCE * bytes_at_owner(self, call, pairs, size.parts) <= memory) size.at_once = RF_WAVES_AT_ONCE;
  return size;
}

rf_wave_size rf_wave_size_of(const rf_sublayer *self, const rf_call *call) {
  const int64_t ranks = rf_mesh_sequence_size(call->mesh), all = call->sequences * self->config->model.n_heads;
  const int64_t most = call->wave_bytes > 0 ? call->wave_bytes : WAVE_BYTES, memory = self->config->mesh.wave_memory;
  if (ranks == 1) return size_of_pairs(self, call, most_pairs(self, call, most));
  const wave_limits limits = {.memory = call->wave_bytes > 0 ? call->wave_bytes : memory,
                              /* as what is saved, it falls with the ranks */
                              .little = rf_min(most / (2 * ranks), memory / RF_WAVES_AT_ONCE)};
  if (self->ops->attention->layout(self, call).spread) return size_of_spread(self, call, limits);
  rf_wave_size size = size_of_pairs(self, call, rf_max(1, rf_min(most_pairs(self, call, limits.little), all / 2)));
  if (RF_WAVES_AT_ONCE * bytes_of_wave(self, call, size.sequences * size.heads) <= memory)
    size.at_once = RF_WAVES_AT_ONCE;
  return size;
}

rf_wave rf_wave_at(const rf_sublayer *self, const rf_call *call, int64_t index, rf_wave_size size) {
  const int64_t across = rf_ceil_div(self->config->model.n_heads, size.heads);
  rf_wave wave = {
      .self = self, .call = call, .index = index, .parts = size.parts, .shared_qk = rf_sublayer_shared_qk(self)};
  wave.first_sequence = index / across * size.sequences;
  wave.first_head = index % across * size.heads;
  wave.n_sequences = rf_min(size.sequences, call->sequences - wave.first_sequence);
  wave.n_heads = rf_min(size.heads, self->config->model.n_heads - wave.first_head);
  wave.rows = wave.n_sequences * call->tokens;
  wave.width = wave.n_heads * self->config->model.d_head;
  return wave;
}

rf_exchange_shape rf_wave_exchange_shape(const rf_sublayer *self, const rf_call *call, const rf_slot_layout *layout,
                                         rf_wave_cut cut) {
  return (rf_exchange_shape){.pairs = cut.pairs,
                             .rounds = layout->rounds,
                             .tokens = call->length,
                             .chunk = layout->chunk,
                             .chunks_before = layout->chunks_before,
                             .chunks_after = layout->chunks_after,
                             .n_buckets = layout->n_buckets,
                             .rounds_travel = layout->rounds_travel,
                             .wire = self->config->mesh.wire,
                             .together = layout->spread ? cut.pairs : 1,
                             .parts = cut.parts,
                             .part = cut.part};
}
