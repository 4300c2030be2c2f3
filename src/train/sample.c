#include "train/sample.h"
#include "reformer/arena.h"
#include "reformer/rng.h"
#include <math.h>
#include <string.h>

/* The context a model sees: the last tokens, padded. */
typedef struct context {
  int64_t length, padded, most;
  int32_t *ids;
  uint8_t *mask;
  real *logits; /* [vocab] */
} context;

static rf_status take_context(const rf_config *config, rf_arena *arena, context *c) {
  c->most = config->data.length;
  const size_t padded = (size_t)rf_padded_length(config, c->most);
  RF_TRY(rf_arena_take(arena, padded, sizeof *c->ids, &c->ids));
  RF_TRY(rf_arena_take(arena, padded, sizeof *c->mask, &c->mask));
  return rf_arena_take(arena, (size_t)config->model.vocab_size, sizeof *c->logits, &c->logits);
}

static void fill_context(const rf_config *config, const unsigned char *text, int64_t length, context *c) {
  const int64_t first = length > c->most ? length - c->most : 0;
  c->length = length - first;
  c->padded = rf_padded_length(config, c->length);
  for (int64_t i = 0; i < c->padded; i++) {
    c->mask[i] = i < c->length;
    c->ids[i] = i < c->length ? text[first + i] : 0;
  }
}

/* The inverse of the cumulative distribution at a uniform number. */
static int32_t draw_token(const real *logits, int64_t vocab, double temperature, double uniform) {
  int32_t best = 0;
  for (int32_t j = 1; j < vocab; j++)
    if (logits[j] > logits[best]) best = j;
  if (temperature <= 0) return best;
  double total = 0;
  for (int32_t j = 0; j < vocab; j++) total += exp(((double)logits[j] - (double)logits[best]) / temperature);
  double sum = 0;
  for (int32_t j = 0; j < vocab; j++) {
    sum += exp(((double)logits[j] - (double)logits[best]) / temperature);
    if (sum >= uniform * total) return j;
  }
  return best;
}

static rf_status sample(rf_model *model, int64_t tokens, double temperature, uint64_t seed, rf_arena *arena,
                        char *text) {
  const rf_config *config = rf_model_config_of(model);
  const rf_draw draw = {.seed = seed, .purpose = RF_RNG_SAMPLE};
  int64_t length = (int64_t)strlen(text);
  context c;
  RF_TRY(take_context(config, arena, &c));
  for (int64_t i = 0; i < tokens; i++) {
    fill_context(config, (const unsigned char *)text, length, &c);
    const rf_batch batch = {.sequences = 1,
                            .tokens = c.padded,
                            .ids = c.ids,
                            .mask = c.padded > c.length ? c.mask : NULL,
                            .sequence = (const uint32_t[]){0},
                            .seed = seed,
                            .step = (uint32_t)RF_EVAL_STEP};
    RF_TRY(rf_model_logits(model, &batch, c.length - 1, 1, c.logits));
    const int32_t token =
        draw_token(c.logits, config->model.vocab_size, temperature, rf_draw_uniform(&draw, (uint64_t)i));
    text[length++] = (char)(token >= 1 && token <= 255 ? token : '?');
  }
  text[length] = '\0';
  return RF_OK;
}

rf_status rf_sample_text(rf_model *model, const char *prompt, int64_t tokens, double temperature, uint64_t seed,
                         char *text) {
  rf_arena *arena;
  RF_TRY(rf_arena_create("sample", 0, &arena));
  strcpy(text, prompt[0] ? prompt : "\n");
  const rf_status status = sample(model, tokens, temperature, seed, arena, text);
  rf_arena_destroy(arena);
  return status;
}
