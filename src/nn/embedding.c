#include "nn/embedding.h"
#include "base/integers.h"
#include "kernel/dropout.h"
#include "nn/positions.h"

/* Columns that one thread owns in the reverse pass. */
enum { COLUMNS = 16 };

enum { TOKEN, POSITIONS, TENSORS = POSITIONS + RF_MAX_AXES };

/* Returns how many there are. */
static int embedding_tensors(const rf_config *config, rf_tensor_entry table[TENSORS]) {
  const rf_model_config *m = &config->model;
  table[TOKEN] = (rf_tensor_entry){"token.weight", RF_INIT_NORMAL, 2, {m->vocab_size, m->d_model}};
  return POSITIONS + rf_positions_tensors(config, table + POSITIONS);
}

rf_status rf_embedding_describe(const rf_config *config, rf_block *block) {
  rf_tensor_entry table[TENSORS];
  return rf_tensors_describe(embedding_tensors(config, table), table, "embedding", block);
}

static void place_tensors(const rf_config *config, int64_t at[TENSORS]) {
  rf_tensor_entry table[TENSORS];
  rf_tensors_place(embedding_tensors(config, table), table, at);
}

static void drop_token(const rf_config *config, const rf_call *call, int64_t row, real *x) {
  if (!call->training || config->model.embedding_dropout <= 0) return;
  const rf_draw draw = {.seed = call->seed,
                        .purpose = RF_RNG_DROP_EMBEDDING,
                        .step = call->step,
                        .sequence = call->sequence[row / call->tokens]};
  rf_dropout(&draw, config->model.embedding_dropout, call->first_token + row % call->tokens, 1, config->model.d_model,
             x, config->model.d_model);
}

void rf_embedding_apply(const rf_config *config, const rf_call *call, const real *params, const int32_t *ids, real *x) {
  const int64_t d = config->model.d_model, rows = call->sequences * call->tokens;
  int64_t at[TENSORS];
  place_tensors(config, at);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; row++) {
    real *out = x + row * d;
    for (int64_t j = 0; j < d; j++) out[j] = params[ids[row] * d + j];
    rf_position_add(config, params, at + POSITIONS, call->first_token + row % call->tokens, 0, d, out);
    drop_token(config, call, row, out);
  }
}

/* Many tokens share a row of a table: each thread adds up its own columns over all tokens in order, so that no two meet
 * and the bits do not depend on how many there are. */
void rf_embedding_vjp(const rf_config *config, const rf_call *call, const int32_t *ids, real *dx, real *dparams) {
  const int64_t d = config->model.d_model, rows = call->sequences * call->tokens;
  int64_t at[TENSORS];
  place_tensors(config, at);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; row++) drop_token(config, call, row, dx + row * d);
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < d; first += COLUMNS) {
    const int64_t end = rf_min(first + COLUMNS, d);
    for (int64_t row = 0; row < rows; row++) {
      const real *restrict from = dx + row * d;
      real *restrict to = dparams + ids[row] * d;
      for (int64_t j = first; j < end; j++) to[j] += from[j];
      rf_position_add_vjp(config, at + POSITIONS, call->first_token + row % call->tokens, first, end, from, dparams);
    }
  }
}
