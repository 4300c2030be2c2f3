/* The plan of a run against the run: memory to 10 %, bytes to 3 %, on every mesh of the world. */
#include "bench/step_figures.h"
#include "comm/expect.h"
#include "comm/simulate.h"
#include "mpi/ranks.h"
#include "plan/memory.h"
#include "plan/traffic.h"
#include "support/small_config.h"

typedef struct planned_case {
  const char *name;
  rf_attention_kind attention[2];
  rf_residual residual;
  rf_optimizer_kind optimizer;
  bool tied;
  int64_t length, batch, rounds;
  double stashed; /* of what may be stashed, training.memory_limit has room for so many times as much */
  int64_t wave_memory;
} planned_case;

enum { PLENTY = 1 << 30 };

static const planned_case cases[] = {
    {"lsh", {RF_ATTENTION_LSH, RF_ATTENTION_LSH}, RF_RESIDUAL_REVERSIBLE, RF_ADAM, false, 1024, 4, 2, 0, PLENTY},
    {"lsh, rounds as ranks",
     {RF_ATTENTION_LSH, RF_ATTENTION_LSH},
     RF_RESIDUAL_REVERSIBLE,
     RF_ADAFACTOR,
     true,
     1000,
     4,
     4,
     0,
     PLENTY},
    {"local", {RF_ATTENTION_LOCAL, RF_ATTENTION_LOCAL}, RF_RESIDUAL_REVERSIBLE, RF_ADAM, false, 1024, 4, 2, 0, PLENTY},
    {"full", {RF_ATTENTION_FULL, RF_ATTENTION_FULL}, RF_RESIDUAL_REVERSIBLE, RF_ADAM, false, 512, 4, 2, 0, PLENTY},
    {"ordinary",
     {RF_ATTENTION_LOCAL, RF_ATTENTION_LSH},
     RF_RESIDUAL_ORDINARY,
     RF_ADAFACTOR,
     false,
     2048,
     8,
     1,
     0,
     PLENTY},
    {"all stashed",
     {RF_ATTENTION_LSH, RF_ATTENTION_LOCAL},
     RF_RESIDUAL_REVERSIBLE,
     RF_ADAM,
     false,
     1024,
     4,
     2,
     2,
     PLENTY},
    {"all stashed, full",
     {RF_ATTENTION_FULL, RF_ATTENTION_LSH},
     RF_RESIDUAL_ORDINARY,
     RF_ADAM,
     false,
     512,
     4,
     4,
     2,
     PLENTY},
    {"some stashed",
     {RF_ATTENTION_LSH, RF_ATTENTION_LSH},
     RF_RESIDUAL_REVERSIBLE,
     RF_ADAM,
     false,
     1024,
     4,
     2,
     0.5,
     PLENTY},
    {"in parts",
     {RF_ATTENTION_LSH, RF_ATTENTION_LOCAL},
     RF_RESIDUAL_REVERSIBLE,
     RF_ADAM,
     false,
     2048,
     4,
     4,
     0,
     1 << 20},
    {"in parts, all stashed",
     {RF_ATTENTION_LSH, RF_ATTENTION_LSH},
     RF_RESIDUAL_REVERSIBLE,
     RF_ADAM,
     false,
     2048,
     4,
     4,
     2,
     1 << 20},
};

static rf_config config_of(const planned_case *c, const rf_mesh *mesh) {
  rf_config config = small_config();
  rf_model_config *m = &config.model;
  m->vocab_size = 128;
  m->d_model = 64;
  m->n_layers = 2;
  m->d_head = 32;
  m->d_ff = 128;
  m->n_attention = 2;
  for (int i = 0; i < 2; i++) m->attention[i] = c->attention[i];
  m->residual = c->residual;
  m->tied_embedding = c->tied;
  m->init_std = 0.3; /* so that buckets tell tokens apart */
  m->positions = (rf_positions_config){.kind = RF_POSITIONS_NONE};
  config.lsh.chunk = config.local.chunk = 32;
  config.lsh.n_hashes = c->rounds;
  config.lsh.n_factors = 0;
  config.data = (rf_data_config){.kind = RF_DATA_DUPLICATE, .length = c->length, .split = {1, 0, 0}};
  config.training = (rf_training_config){.steps = 10, .batch = c->batch, .accumulate = c->batch / 4, .seed = 3};
  config.optimizer = (rf_optimizer_config){.kind = c->optimizer,
                                           .lr = 1e-3,
                                           .beta2 = 0.99,
                                           .eps = 1e-8,
                                           .decay_exponent = -0.8,
                                           .clip_threshold = 1,
                                           .factor_eps = 1e-30};
  config.mesh = (rf_mesh_config){rf_mesh_sequence_size(mesh), rf_mesh_data_size(mesh), RF_WIRE_REAL, c->wave_memory};
  rf_resolve_buckets(&config.lsh, rf_padded_length(&config, c->length));
  return config;
}

static bool is_near(double planned, double measured, double share) {
  return fabs(planned - measured) <= share * measured + 512; /* bytes that alignment takes */
}

static void expect_near(const planned_case *c, const rf_mesh *mesh, const char *what, double planned, double measured,
                        double share) {
  if (is_near(planned, measured, share)) return;
  fail_msg("%s on %d x %d ranks: %s: planned %.0f, measured %.0f", c->name, rf_mesh_sequence_size(mesh),
           rf_mesh_data_size(mesh), what, planned, measured);
}

/* What the run needs anyway, and the share of what else it may hold. */
static int64_t limit_of(const planned_case *c, const rf_config *config, int sequence, int data) {
  static const rf_plan_stash nothing;
  rf_config all = *config;
  rf_plan_stash stash;
  rf_plan_memory m;
  all.training.memory_limit = (int64_t)1 << 40;
  assert_ok(rf_plan_stash_create(&all, sequence, data, 0, &stash));
  assert_ok(rf_plan_memory_most(&all, sequence, data, &nothing, &m));
  const double share = c->stashed * (double)stash.summary.bytes;
  rf_plan_stash_destroy(&stash);
  return (int64_t)(m.total - m.process - m.model.scratch) + rf_plan_memory_step(&m.model, sequence) + (int64_t)share;
}

static void check_case(const planned_case *c, rf_mesh *mesh) {
  rf_config config = config_of(c, mesh);
  const int sequence = rf_mesh_sequence_size(mesh), data = rf_mesh_data_size(mesh);
  rf_step_figures measured;
  rf_plan_stash stash;
  rf_plan_memory memory;
  rf_plan_traffic traffic;
  if (c->stashed > 0) config.training.memory_limit = limit_of(c, &config, sequence, data);
  assert_ok(rf_step_figures_measure(&config, mesh, 1, &measured));
  assert_ok(rf_plan_stash_create(&config, sequence, data, 0, &stash));
  assert_ok(rf_plan_memory_most(&config, sequence, data, &stash, &memory));
  assert_ok(rf_plan_traffic_of(&config, sequence, data, &stash, &traffic));
  for (int part = 0; part < RF_STASH_PARTS; part++)
    assert_int_equal(stash.summary.layers[part], measured.stash.layers[part]);
  assert_true((c->stashed > 0) == (stash.summary.bytes > 0));
  assert_int_equal(stash.summary.bytes, measured.stash.bytes);
  rf_plan_stash_destroy(&stash);
  const rf_store_sizes *s = &memory.store;
  expect_near(c, mesh, "store", (double)(s->parameters + s->gradients + s->slots), measured.store, 0.02);
  expect_near(c, mesh, "optimizer", (double)memory.optimizer, measured.optimizer, 0.1);
  expect_near(c, mesh, "activations and transients", (double)memory.model.scratch, measured.scratch, 0.1);
  expect_near(c, mesh, "sequences", (double)memory.sequences, measured.sequences, 0.02);
  /* A halo is a few dozen rows, whose number is chance: they are compared with the rest. */
  traffic.bytes[RF_TRAFFIC_ROWS] += traffic.bytes[RF_TRAFFIC_HALO];
  measured.spent.bytes[RF_TRAFFIC_ROWS] += measured.spent.bytes[RF_TRAFFIC_HALO];
  for (int p = 0; p < RF_TRAFFIC_PURPOSES; p++)
    if (p != RF_TRAFFIC_HALO)
      expect_near(c, mesh, rf_traffic_name((rf_traffic)p), traffic.bytes[p], measured.spent.bytes[p],
                  p == RF_TRAFFIC_PARAMETERS || p == RF_TRAFFIC_GRADIENTS ? 0 : 0.03);
}

static void check_all(rf_mesh *mesh) {
  for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) check_case(&cases[i], mesh);
}

static void test_a_run_takes_and_sends_what_was_planned(void **state) {
  (void)state;
  on_every_mesh(check_all);
}

enum { LENGTH = 32768, ROUNDS = 4, BUCKETS = 1024, MOST_PAIRS = 3 };

/* On any number of ranks, of pairs that are cut together, or each alone. */
static void check_expectation(int64_t pairs, int64_t together, int ranks, const void *const *buckets,
                              rf_arena *scratch) {
  const rf_exchange_shape shape = {.pairs = pairs,
                                   .rounds = ROUNDS,
                                   .tokens = LENGTH,
                                   .chunk = 64,
                                   .chunks_before = 1,
                                   .n_buckets = BUCKETS + 1,
                                   .together = together,
                                   .parts = 1};
  const rf_owners owners = rf_owners_of(&shape, ranks);
  rf_exchange_simulation counted;
  assert_ok(rf_exchange_simulate(&shape, ranks, 2, buckets, scratch, &counted));
  const rf_exchange_expectation e = rf_exchange_expect(&shape, ranks, 0, 2);
  const struct {
    const char *what;
    double expected, counted, share;
  } figures[] = {{"rows", e.all_own, (double)counted.rows, 0.01},
                 {"rows a token", rf_owners_expected(&owners), counted.rows_per_token, 0.01},
                 {"halo rows", e.all_halo, (double)counted.halo_rows, ranks == 2 ? 0.2 : 0.05},
                 {"histogram bytes", e.all_histogram, (double)counted.histogram_bytes, 0.01},
                 {"plan bytes", e.all_plan, (double)counted.plan_bytes, 0.01}};
  for (size_t i = 0; i < sizeof figures / sizeof *figures; i++)
    if (fabs(figures[i].expected - figures[i].counted) > figures[i].share * figures[i].counted)
      fail_msg("%lld pairs, %lld together, %d ranks: %s: expected %.3f, counted %.3f", (long long)pairs,
               (long long)together, ranks, figures[i].what, figures[i].expected, figures[i].counted);
  assert_true(counted.most_rows <= rf_owners_most_rows(&owners, pairs, (rf_pair_size){LENGTH, 64}));
}

/* Many more ranks than can be started: against the count of drawn buckets. */
static void test_what_is_expected_is_what_random_buckets_give(void **state) {
  (void)state;
  rf_arena *scratch;
  uint16_t *drawn = NEW(uint16_t, MOST_PAIRS * ROUNDS * LENGTH);
  const void *buckets[MOST_PAIRS];
  dice d = {5, 0};
  for (int64_t i = 0; i < MOST_PAIRS * ROUNDS * LENGTH; i++) drawn[i] = (uint16_t)dice_below(&d, BUCKETS);
  for (int64_t p = 0; p < MOST_PAIRS; p++) buckets[p] = drawn + p * ROUNDS * LENGTH;
  assert_ok(rf_arena_create("simulation", 0, &scratch));
  for (int ranks = 2; ranks <= 512 && rf_mpi_rank() == 0; ranks *= 4) {
    check_expectation(1, 1, ranks, buckets, scratch);
    check_expectation(2, 1, ranks, buckets, scratch);
    check_expectation(2, 2, ranks, buckets, scratch);
    check_expectation(MOST_PAIRS, MOST_PAIRS, ranks, buckets, scratch);
  }
  rf_arena_destroy(scratch);
  free(drawn);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_run_takes_and_sends_what_was_planned),
                                          cmocka_unit_test(test_what_is_expected_is_what_random_buckets_give)};
RANKS_MAIN(tests)
