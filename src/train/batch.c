#include "train/batch.h"
#include <string.h>

rf_status rf_sequences_take(const rf_config *config, int64_t count, rf_arena *arena, rf_sequences *s) {
  *s = (rf_sequences){.count = count, .length = config->data.length, .causal = config->model.causal};
  s->padded = rf_padded_length(config, s->length);
  const size_t all = (size_t)(count * s->padded);
  RF_TRY(rf_arena_take_zero(arena, all, sizeof *s->ids, &s->ids));
  RF_TRY(rf_arena_take(arena, all, sizeof *s->labels, &s->labels));
  RF_TRY(rf_arena_take(arena, (size_t)count, sizeof *s->index, &s->index));
  for (size_t i = 0; i < all; i++) s->labels[i] = RF_IGNORE;
  for (int64_t i = 0; i < count; i++) s->index[i] = (uint32_t)i;
  if (s->padded == s->length) return RF_OK;
  RF_TRY(rf_arena_take_zero(arena, all, sizeof *s->mask, &s->mask));
  for (int64_t i = 0; i < count; i++) memset(s->mask + i * s->padded, 1, (size_t)s->length);
  return RF_OK;
}

rf_status rf_sequences_read(rf_sequences *s, const rf_dataset *dataset, rf_split split, uint64_t first, int64_t n) {
  for (int64_t i = 0; i < n; i++) {
    int32_t *ids = s->ids + i * s->padded, *labels = s->labels + i * s->padded;
    RF_TRY(rf_dataset_read(dataset, split, first + (uint64_t)i, 0, s->length, ids, labels));
    if (!s->causal) memcpy(labels, ids, (size_t)s->length * sizeof *labels);
  }
  return RF_OK;
}

int64_t rf_sequences_counted(const rf_sequences *s, int64_t n) {
  int64_t counted = 0;
  for (int64_t i = 0; i < n * s->padded; i++) counted += s->labels[i] != RF_IGNORE;
  return counted;
}

rf_batch rf_sequences_batch(const rf_sequences *s, int64_t first, int64_t n, uint64_t seed, uint32_t step) {
  const int64_t at = first * s->padded;
  return (rf_batch){.sequences = n,
                    .tokens = s->padded,
                    .ids = s->ids + at,
                    .labels = s->labels + at,
                    .mask = s->mask ? s->mask + at : NULL,
                    .sequence = s->index + first,
                    .seed = seed,
                    .step = step};
}
