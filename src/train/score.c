#include "train/score.h"
#include "reformer/rng.h"
#include "train/batch.h"
#include "train/loss.h"

typedef struct scoring {
  rf_logits_file *file;
  int64_t sequence, length;
} scoring;

/* Padding has logits too, and nobody wants them. */
static rf_status take_logits(void *context, int64_t row, int64_t n, const real *logits) {
  const scoring *s = context;
  if (row >= s->length) return RF_OK;
  return rf_logits_file_add(s->file, s->sequence, row, row + n > s->length ? s->length - row : n, logits);
}

static rf_status score_all(rf_model *model, const rf_dataset *dataset, rf_split split, int64_t n, rf_arena *arena,
                           scoring *s, rf_loss *loss) {
  const rf_config *config = rf_model_config_of(model);
  rf_sequences sequences;
  double *token_loss;
  RF_TRY(rf_sequences_take(config, NULL, 1, 1, arena, &sequences));
  RF_TRY(rf_arena_take(arena, (size_t)sequences.padded, sizeof *token_loss, &token_loss));
  for (s->sequence = 0; s->sequence < n; s->sequence++) {
    RF_TRY(rf_sequences_read(&sequences, dataset, split, (uint64_t)s->sequence, 1));
    const rf_batch batch = rf_sequences_batch(&sequences, 0, config->training.seed, (uint32_t)RF_EVAL_STEP);
    RF_TRY(rf_model_score(model, &batch, token_loss, take_logits, s, loss));
    RF_TRY(rf_logits_file_add_losses(s->file, s->sequence, token_loss));
  }
  return RF_OK;
}

rf_status rf_score(rf_model *model, const rf_dataset *dataset, rf_split split, const rf_logits_place *place,
                   rf_loss *loss) {
  const rf_config *config = rf_model_config_of(model);
  const int64_t n = rf_dataset_sequences(dataset, split);
  scoring s = {.length = config->data.length};
  rf_arena *arena;
  *loss = (rf_loss){0};
  RF_TRY(rf_arena_create("scores", 0, &arena));
  rf_status status = rf_logits_file_create(place, n, s.length, config->model.vocab_size, &s.file);
  if (status == RF_OK) {
    status = score_all(model, dataset, split, n, arena, &s, loss);
    if (status == RF_OK)
      status = rf_logits_file_finish(s.file, rf_loss_mean(loss));
    else
      rf_logits_file_abandon(s.file);
  }
  rf_arena_destroy(arena);
  return status;
}
