#include "train/batch.h"
#include "plan/batch.h"
#include <string.h>

rf_status rf_sequences_take(const rf_config *config, const rf_mesh *mesh, int64_t batch, int64_t accumulate,
                            rf_arena *arena, rf_sequences *s) {
  rf_batch_share share;
  *s = (rf_sequences){.length = config->data.length, .causal = config->model.causal};
  s->padded = rf_padded_length(config, s->length);
  RF_TRY(rf_batch_divide(batch, accumulate, rf_mesh_data_size(mesh), &share));
  s->count = share.count;
  s->micro = share.micro;
  s->tokens = rf_span_of(s->padded, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  const size_t all = (size_t)(s->count * s->tokens.count);
  RF_TRY(rf_arena_take(arena, all, sizeof *s->ids, &s->ids));
  RF_TRY(rf_arena_take(arena, all, sizeof *s->labels, &s->labels));
  RF_TRY(rf_arena_take(arena, (size_t)s->count, sizeof *s->index, &s->index));
  for (int64_t i = 0; i < s->count; i++) {
    const int64_t micro = i / s->micro * rf_mesh_data_size(mesh) + rf_mesh_data_rank(mesh);
    s->index[i] = (uint32_t)(micro * s->micro + i % s->micro);
  }
  if (s->padded == s->length) return RF_OK;
  RF_TRY(rf_arena_take(arena, all, sizeof *s->mask, &s->mask));
  for (size_t i = 0; i < all; i++) s->mask[i] = s->tokens.first + (int64_t)i % s->tokens.count < s->length;
  return RF_OK;
}

rf_status rf_sequences_read(rf_sequences *s, const rf_dataset *dataset, rf_split split, uint64_t first, int64_t n) {
  const int64_t left = s->length - s->tokens.first, here = left < s->tokens.count ? left : s->tokens.count;
  for (int64_t i = 0; i < s->count; i++) {
    int32_t *ids = s->ids + i * s->tokens.count, *labels = s->labels + i * s->tokens.count;
    const int64_t read = s->index[i] < n && here > 0 ? here : 0;
    if (read > 0) RF_TRY(rf_dataset_read(dataset, split, first + s->index[i], s->tokens.first, read, ids, labels));
    if (!s->causal) memcpy(labels, ids, (size_t)read * sizeof *labels);
    for (int64_t t = read; t < s->tokens.count; t++) {
      ids[t] = 0;
      labels[t] = RF_IGNORE;
    }
  }
  return RF_OK;
}

int64_t rf_sequences_counted(const rf_sequences *s) {
  int64_t counted = 0;
  for (int64_t i = 0; i < s->count * s->tokens.count; i++) counted += s->labels[i] != RF_IGNORE;
  return counted;
}

rf_batch rf_sequences_batch(const rf_sequences *s, int64_t i, uint64_t seed, uint32_t step) {
  const int64_t first = i * s->micro, at = first * s->tokens.count;
  return (rf_batch){.sequences = s->micro,
                    .tokens = s->tokens.count,
                    .length = s->padded,
                    .first_token = s->tokens.first,
                    .ids = s->ids + at,
                    .labels = s->labels + at,
                    .mask = s->mask ? s->mask + at : NULL,
                    .sequence = s->index + first,
                    .seed = seed,
                    .step = step};
}
