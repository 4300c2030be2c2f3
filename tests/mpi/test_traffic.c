/* The bytes that a layer and a training step send, against what their plans and cuts say. */
#include "comm/exchange.h"
#include "lsh/hash.h"
#include "mpi/ranks.h"
#include "nn/wave.h"
#include "support/small_config.h"
#include "support/sublayer_case.h"
#include "train/step.h"

/* --- LSH attention at a realistic size: 4,096 tokens, 4 rounds, rows of 64 numbers --- */

enum { TOKENS = 4096, CHUNK = 64, WIDTH = 64, HEADS = 2, ROUNDS = 4 };

static rf_config long_config(void) {
  rf_config config = small_config();
  config.model.d_model = config.model.d_head = WIDTH;
  config.model.n_heads = HEADS;
  config.lsh = (rf_lsh_config){.chunk = CHUNK, .n_hashes = ROUNDS, .chunks_before = 1, .attend_across_buckets = true};
  rf_resolve_buckets(&config.lsh, TOKENS);
  return config;
}

/* The rows that the plans of these buckets move: of waves of some heads each. */
static rf_exchange_counts counts_of(rf_mesh *mesh, const sublayer_case *c, int64_t tokens) {
  const rf_hash_shape hash = rf_hash_shape_of(&c->config.lsh, WIDTH);
  const void *buckets[HEADS];
  for (int h = 0; h < HEADS; h++)
    buckets[h] = (const char *)c->saved + h * ROUNDS * tokens * rf_bucket_bytes(hash.buckets);
  const int64_t heads = rf_wave_size_of(&c->sublayer, &c->call).heads;
  const rf_exchange_shape shape = {.pairs = heads,
                                   .rounds = ROUNDS,
                                   .tokens = TOKENS,
                                   .chunk = CHUNK,
                                   .chunks_before = 1,
                                   .n_buckets = hash.buckets + 1,
                                   .together = heads,
                                   .parts = 1};
  rf_exchange_counts sum = {0};
  assert_int_equal(HEADS % heads, 0);
  for (int64_t first = 0; first < HEADS; first += heads) {
    const rf_exchange_tokens own = {.bucket_bytes = rf_bucket_bytes(hash.buckets), .buckets = buckets + first};
    rf_exchange *exchange;
    assert_ok(rf_exchange_create(mesh, &shape, &own, c->plans, c->arena, &exchange));
    const rf_exchange_counts n = rf_exchange_count(exchange);
    sum.own_sent += n.own_sent;
    sum.halo_sent += n.halo_sent;
    sum.own_received += n.own_received;
    sum.halo_received += n.halo_received;
  }
  return sum;
}

static void apply_and_reverse(const sublayer_case *c, const real *x, const real *dy) {
  real *y = NEW(real, c->values), *dx = NEW(real, c->values), *dparams = NEW(real, c->block.size);
  assert_ok(c->sublayer.ops->apply(&c->sublayer, &c->call, c->params, x, 1, y, c->saved));
  const rf_sublayer_vjp task = {c->params, x, dy, y, dx, dparams, c->saved};
  assert_ok(c->sublayer.ops->apply_vjp(&c->sublayer, &c->call, &task));
  free(y);
  free(dx);
  free(dparams);
}

static void check_row_bytes(const rf_exchange_counts *n, const int64_t *bytes) {
  /* forward, and once more in the recomputation: q and v there; o, m and z back. Reverse: dO, m, z and delta there; dq
   * (with dk in it) and dv back. Of rows that are keys for neighbouring chunks only: q and v there, dq and dv back. */
  const int64_t rows = 2 * (2 * WIDTH * n->own_sent + (WIDTH + 2) * n->own_received) + (WIDTH + 3) * n->own_sent +
                       2 * WIDTH * n->own_received;
  const int64_t halo = 2 * 2 * WIDTH * n->halo_sent + 2 * WIDTH * n->halo_received;
  assert_int_equal(bytes[RF_TRAFFIC_ROWS], rows * (int64_t)sizeof(real));
  assert_int_equal(bytes[RF_TRAFFIC_HALO], halo * (int64_t)sizeof(real));
}

static void check_layer(rf_mesh *mesh) {
  const rf_config config = long_config();
  const rf_span own = rf_span_of(TOKENS, rf_mesh_sequence_size(mesh), rf_mesh_sequence_rank(mesh));
  const uint32_t sequence = 3;
  const rf_call call = {
      .sequences = 1, .tokens = own.count, .first_token = own.first, .sequence = &sequence, .mesh = mesh};
  sublayer_case *c = sublayer_case_create(&config, &rf_lsh_attention_ops, &call);
  c->call.length = TOKENS;
  dice d = {.seed = 41};
  sublayer_case_randomise(c, &d, 1); /* the same on all ranks; their tokens are not */
  d.at = (uint64_t)(10000000 * (rf_mesh_rank(mesh) + 1));
  real *x = dice_reals(&d, (int64_t)c->values, 1), *dy = dice_reals(&d, (int64_t)c->values, 1);
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_traffic_reset(mesh);
  apply_and_reverse(c, x, dy);
  rf_traffic_read(mesh, bytes);
  const rf_exchange_counts counts = counts_of(mesh, c, own.count);
  check_row_bytes(&counts, bytes);

  assert_ok(rf_sum_integers(mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, RF_TRAFFIC_PURPOSES, bytes));
  const int64_t metadata = bytes[RF_TRAFFIC_HISTOGRAM] + bytes[RF_TRAFFIC_PLAN];
  const int64_t rows = bytes[RF_TRAFFIC_ROWS] + bytes[RF_TRAFFIC_HALO];
  if (rf_mesh_rank(mesh) == 0)
    print_message("%d sequence ranks: %lld bytes of rows, %lld of histograms, %lld of plans: %.2f %%\n",
                  rf_mesh_sequence_size(mesh), (long long)rows, (long long)bytes[RF_TRAFFIC_HISTOGRAM],
                  (long long)bytes[RF_TRAFFIC_PLAN], rows > 0 ? 100.0 * (double)metadata / (double)rows : 0.0);
  assert_true(metadata <= bytes[RF_TRAFFIC_ROWS] / 20);
  assert_true(rf_mesh_sequence_size(mesh) > 1 || rows == 0);
  free(x);
  free(dy);
  sublayer_case_destroy(c);
}

static void test_a_layer_sends_the_rows_of_its_plan_and_a_twentieth_of_that_in_metadata(void **state) {
  (void)state;
  on_every_mesh(check_layer);
}

/* --- A training step --- */

static rf_config step_config(bool tied, int64_t layers) {
  rf_config config = small_config();
  config.model.vocab_size = 128;
  config.model.n_layers = layers;
  config.model.tied_embedding = tied;
  config.data = (rf_data_config){.kind = RF_DATA_DUPLICATE, .length = 32};
  config.training = (rf_training_config){.steps = 10, .batch = 8 * 3, .accumulate = 1, .seed = 5};
  config.optimizer = (rf_optimizer_config){.kind = RF_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.99, .eps = 1e-8};
  return config;
}

/* Bytes of a step: full vectors are gathered for the forward pass (embedding, layers, head) and, in reverse, for every
 * layer but the last, which is still there, unless a tied embedding took its place. Gradients are summed once for every
 * block, and a tied embedding's twice; then their norm, a number from every rank to every other. */
static void expect_step(rf_mesh *mesh, rf_trainer *t, bool tied, int64_t *parameters, int64_t *gradients) {
  const rf_layout *layout = rf_store_layout(rf_model_store(t->model));
  const int64_t ranks = rf_mesh_size(mesh), last = layout->n_blocks - 2;
  *parameters = 0;
  *gradients = (ranks - 1) * (int64_t)sizeof(double);
  for (int b = 0; b < layout->n_blocks; b++) {
    const int64_t own = rf_span_of(layout->blocks[b].size, ranks, rf_mesh_rank(mesh)).count;
    const bool layer = b > 0 && b <= last;
    const int gathers = b == 0 ? 1 + tied : !layer ? 1 : b < last || tied ? 2 : 1, sums = b == 0 ? 1 + tied : 1;
    *parameters += gathers * own * (ranks - 1) * (int64_t)sizeof(real);
    *gradients += sums * (layout->blocks[b].size - own) * (int64_t)sizeof(real);
  }
}

static void check_step(rf_mesh *mesh) {
  for (int i = 0; i < 4; i++) { /* blocks take turns with two places: even and odd numbers of layers */
    const bool tied = i / 2;
    const rf_config config = step_config(tied, 3 + i % 2);
    rf_trainer t;
    rf_step_result result;
    int64_t bytes[RF_TRAFFIC_PURPOSES], parameters, gradients;
    assert_ok(rf_trainer_create(&config, mesh, &t));
    expect_step(mesh, &t, tied, &parameters, &gradients);
    for (int step = 1; step <= 2; step++) {
      rf_traffic_reset(mesh);
      assert_ok(rf_train_step(&t, step, &result));
      rf_traffic_read(mesh, bytes);
      assert_int_equal(bytes[RF_TRAFFIC_PARAMETERS], parameters);
      assert_int_equal(bytes[RF_TRAFFIC_GRADIENTS], gradients);
      const bool rows = bytes[RF_TRAFFIC_ROWS] + bytes[RF_TRAFFIC_HALO] + bytes[RF_TRAFFIC_PLAN] > 0;
      assert_int_equal(rows, rf_mesh_sequence_size(mesh) > 1);
    }
    rf_trainer_destroy(&t);
  }
}

static void test_a_step_gathers_and_sums_each_block_as_often_as_it_must(void **state) {
  (void)state;
  on_every_mesh(check_step);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_layer_sends_the_rows_of_its_plan_and_a_twentieth_of_that_in_metadata),
    cmocka_unit_test(test_a_step_gathers_and_sums_each_block_as_often_as_it_must),
};

RANKS_MAIN(tests)
