#include "train/sample.h"
#include "comm/collective.h"
#include "reformer/arena.h"
#include "reformer/rng.h"
#include <math.h>

/* The context a model sees: the last tokens, padded; of them this rank's. */
typedef struct context {
  rf_mesh *mesh;
  int64_t length, padded, most;
  rf_span here;
  int32_t *ids;  /* [here] */
  uint8_t *mask; /* [here] */
  real *logits;  /* [vocab] of the last token */
} context;

static rf_status take_context(const rf_config *config, rf_mesh *mesh, rf_arena *arena, context *c) {
  *c = (context){.mesh = mesh, .most = config->data.length};
  const size_t padded = (size_t)rf_padded_length(config, c->most);
  RF_TRY(rf_arena_take(arena, padded, sizeof *c->ids, &c->ids));
  RF_TRY(rf_arena_take(arena, padded, sizeof *c->mask, &c->mask));
  return rf_arena_take(arena, (size_t)config->model.vocab_size, sizeof *c->logits, &c->logits);
}

static void fill_context(const rf_config *config, const int32_t *ids, int64_t length, context *c) {
  const int64_t first = length > c->most ? length - c->most : 0;
  c->length = length - first;
  c->padded = rf_padded_length(config, c->length);
  c->here = rf_span_of(c->padded, rf_mesh_sequence_size(c->mesh), rf_mesh_sequence_rank(c->mesh));
  for (int64_t i = 0; i < c->here.count; i++) {
    const int64_t token = c->here.first + i;
    c->mask[i] = token < c->length;
    c->ids[i] = token < c->length ? ids[first + token] : 0;
  }
}

/* The home of the last token tells the other ranks its logits. */
static rf_status find_logits(rf_model *model, uint64_t seed, context *c) {
  static const uint32_t first_sequence[] = {0};
  const int64_t last = c->length - 1, vocab = rf_model_config_of(model)->model.vocab_size;
  const int home = (int)rf_span_owner(c->padded, rf_mesh_sequence_size(c->mesh), last);
  const bool here = home == rf_mesh_sequence_rank(c->mesh);
  const rf_batch batch = {.sequences = 1,
                          .tokens = c->here.count,
                          .length = c->padded,
                          .first_token = c->here.first,
                          .ids = c->ids,
                          .mask = c->padded > c->length ? c->mask : NULL,
                          .sequence = first_sequence,
                          .seed = seed,
                          .step = (uint32_t)RF_EVAL_STEP};
  RF_TRY(rf_model_logits(model, &batch, here ? last - c->here.first : 0, here ? 1 : 0, c->logits));
  return rf_broadcast(c->mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, home, c->logits, vocab * (int64_t)sizeof(real));
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

static rf_status sample_tokens(rf_model *model, int64_t tokens, double temperature, uint64_t seed, rf_arena *arena,
                               rf_stop *stop, int32_t *ids, int64_t *length) {
  const rf_config *config = rf_model_config_of(model);
  const rf_draw draw = {.seed = seed, .purpose = RF_RNG_SAMPLE};
  context c;
  RF_TRY(take_context(config, rf_store_mesh(rf_model_store(model)), arena, &c));
  for (int64_t i = 0; i < tokens; i++) {
    if (stop) RF_TRY(rf_stop_look(stop));
    if (stop && stop->reason != 0) break;
    fill_context(config, ids, *length, &c);
    RF_TRY(find_logits(model, seed, &c));
    ids[(*length)++] = draw_token(c.logits, config->model.vocab_size, temperature, rf_draw_uniform(&draw, (uint64_t)i));
  }
  return RF_OK;
}

rf_status rf_sample(rf_model *model, int64_t tokens, double temperature, uint64_t seed, rf_stop *stop, int32_t *ids,
                    int64_t *length) {
  rf_arena *arena;
  RF_TRY(rf_arena_create("sample", 0, &arena));
  const rf_status status = sample_tokens(model, tokens, temperature, seed, arena, stop, ids, length);
  rf_arena_destroy(arena);
  return status;
}
