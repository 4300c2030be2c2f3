/* Feed-forward, embedding and head against central differences. */
#include "nn/embedding.h"
#include "nn/head.h"
#include "reformer/dataset.h"
#include "support/check_vjp.h"
#include "support/small_config.h"

enum { SEQUENCES = 2, TOKENS = 31 };

static const uint32_t places[] = {7, 3};

static rf_call training_call(rf_arena *scratch) {
  return (rf_call){.sequences = SEQUENCES,
                   .tokens = TOKENS,
                   .sequence = places,
                   .seed = 9,
                   .step = 5,
                   .training = true,
                   .length = TOKENS,
                   .scratch = scratch};
}

static void test_feed_forward(void **state) {
  (void)state;
  for (int gelu = 0; gelu <= 1; gelu++)
    for (int dropout = 0; dropout <= 1; dropout++) {
      dice d = {.seed = 41};
      rf_config config = small_config();
      config.model.activation = gelu ? RF_GELU : RF_RELU;
      config.model.dropout = dropout ? 0.3 : 0;
      rf_call call = training_call(NULL);
      call.tokens = 70; /* tiles that span sequences, the last one cut short */
      sublayer_case *c = sublayer_case_create(&config, &rf_feed_forward_ops, &call);
      sublayer_case_randomise(c, &d, 1);
      check_sublayer(gelu ? "gelu" : "relu", c, &d, gelu);
      sublayer_case_destroy(c);
    }
}

/* What embedding and head share. */
typedef struct ends {
  rf_config config;
  rf_call call;
  rf_block block;
  real *params;
  int32_t ids[SEQUENCES * TOKENS]; /* or labels */
  real *weights;                   /* of the sum that is differentiated */
  real *tied, *y1, *y2;            /* head */
} ends;

static void randomise(ends *e, dice *d) {
  e->params = dice_reals(d, e->block.size, 0.5);
  for (int i = 0; i < SEQUENCES * TOKENS; i++) e->ids[i] = (int32_t)dice_below(d, e->config.model.vocab_size);
}

static double embedding_value(void *context) {
  const ends *e = context;
  const int64_t n = SEQUENCES * TOKENS * e->config.model.d_model;
  real *x = NEW(real, n);
  rf_embedding_apply(&e->config, &e->call, e->params, e->ids, x);
  double sum = 0;
  for (int64_t i = 0; i < n; i++) sum += (double)e->weights[i] * (double)x[i];
  free(x);
  return sum;
}

static void check_embedding(const rf_positions_config *positions, double dropout) {
  dice d = {.seed = 51};
  ends e = {.config = small_config(), .call = training_call(NULL)};
  e.config.model.positions = *positions;
  e.config.model.embedding_dropout = dropout;
  assert_ok(rf_embedding_describe(&e.config, &e.block));
  randomise(&e, &d);
  const int64_t n = SEQUENCES * TOKENS * e.config.model.d_model;
  e.weights = dice_reals(&d, n, 1);
  real *dx = NEW(real, n), *dparams = NEW(real, e.block.size);
  memcpy(dx, e.weights, (size_t)n * sizeof *dx);
  rf_embedding_vjp(&e.config, &e.call, e.ids, dx, dparams);
  for (int t = 0; t < e.block.n_tensors; t++) {
    const int64_t at = e.block.tensors[t].offset;
    check_gradient(e.block.tensors[t].name, &d, embedding_value, &e, rf_tensor_count(&e.block.tensors[t]),
                   e.params + at, dparams + at, true);
  }
  void *all[] = {e.params, e.weights, e.block.tensors, dx, dparams};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
}

static void test_embedding_with_every_kind_of_position(void **state) {
  (void)state;
  const rf_positions_config kinds[] = {
      {.kind = RF_POSITIONS_AXIAL, .n_axes = 2, .shape = {5, 7}, .dims = {4, 6}},
      {.kind = RF_POSITIONS_AXIAL, .n_axes = 3, .shape = {2, 4, 4}, .dims = {1, 3, 6}},
      {.kind = RF_POSITIONS_LEARNED, .shape = {33}},
      {.kind = RF_POSITIONS_SINUSOIDAL},
      {.kind = RF_POSITIONS_ROTARY},
      {.kind = RF_POSITIONS_NONE},
  };
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    check_embedding(&kinds[i], 0);
    check_embedding(&kinds[i], 0.3);
  }
}

enum { SCALE_INVERSE = 17 }; /* gradients are of the losses' sum / 17 */

static double head_value(void *context) {
  const ends *e = context;
  const rf_head_input input = {.params = e->params, .tied = e->tied, .y1 = e->y1, .y2 = e->y2};
  rf_loss loss = {0};
  assert_ok(rf_head_loss(&e->config, &e->call, &input, e->ids, 0, &loss, NULL));
  return loss.sum / SCALE_INVERSE;
}

static void check_head(bool tied, rf_residual residual, double dropout) {
  dice d = {.seed = 61};
  ends e = {.config = small_config()};
  e.config.model.tied_embedding = tied;
  e.config.model.residual = residual;
  e.config.model.dropout = dropout;
  rf_arena *arena;
  assert_ok(rf_arena_create("head under test", 0, &arena));
  e.call = training_call(arena);
  assert_ok(rf_head_describe(&e.config, &e.block));
  randomise(&e, &d);
  for (int i = 0; i < SEQUENCES * TOKENS; i += 5) e.ids[i] = RF_IGNORE;
  const int64_t n = SEQUENCES * TOKENS * e.config.model.d_model;
  const int64_t table = e.config.model.vocab_size * e.config.model.d_model;
  e.tied = tied ? dice_reals(&d, table, 0.5) : NULL;
  e.y1 = dice_reals(&d, n, 1);
  e.y2 = residual == RF_RESIDUAL_REVERSIBLE ? dice_reals(&d, n, 1) : NULL;
  real *dparams = NEW(real, e.block.size), *dtied = NEW(real, table), *dy1 = NEW(real, n), *dy2 = NEW(real, n);
  const rf_head_input input = {.params = e.params, .tied = e.tied, .y1 = e.y1, .y2 = e.y2};
  const rf_head_gradient gradient = {
      .params = dparams, .tied = tied ? dtied : NULL, .dy1 = dy1, .dy2 = e.y2 ? dy2 : NULL};
  rf_loss loss = {0};
  assert_ok(rf_head_loss(&e.config, &e.call, &input, e.ids, 1.0 / SCALE_INVERSE, &loss, &gradient));
  assert_int_equal(loss.counted, SEQUENCES * TOKENS - (SEQUENCES * TOKENS + 4) / 5);

  check_gradient("head y1", &d, head_value, &e, n, e.y1, dy1, true);
  if (e.y2) check_gradient("head y2", &d, head_value, &e, n, e.y2, dy2, true);
  if (tied) check_gradient("tied embedding", &d, head_value, &e, table, e.tied, dtied, true);
  for (int t = 0; t < e.block.n_tensors; t++) {
    const int64_t at = e.block.tensors[t].offset;
    check_gradient(e.block.tensors[t].name, &d, head_value, &e, rf_tensor_count(&e.block.tensors[t]), e.params + at,
                   dparams + at, true);
  }
  void *all[] = {e.params, e.block.tensors, e.tied, e.y1, e.y2, dparams, dtied, dy1, dy2};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  rf_arena_destroy(arena);
}

static void test_head_of_two_streams_or_one_tied_or_not(void **state) {
  (void)state;
  for (int tied = 0; tied <= 1; tied++)
    for (int dropout = 0; dropout <= 1; dropout++) {
      check_head(tied, RF_RESIDUAL_REVERSIBLE, dropout ? 0.3 : 0);
      check_head(tied, RF_RESIDUAL_ORDINARY, dropout ? 0.3 : 0);
    }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_feed_forward),
      cmocka_unit_test(test_embedding_with_every_kind_of_position),
      cmocka_unit_test(test_head_of_two_streams_or_one_tied_or_not),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
