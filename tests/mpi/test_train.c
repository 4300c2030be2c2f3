/* Training on every mesh of the world against training on one rank. */
#include "mpi/ranks.h"
#include "support/small_config.h"
#include "train/evaluate.h"
#include "train/loss.h"
#include "train/step.h"

/* Sanitizers make a step ten times as long, and find what they look for in the first ones. */
#ifdef RF_SANITIZE
enum { STEPS = 4 };
#else
enum { STEPS = 20 };
#endif

/* What a run says about itself. */
typedef struct record {
  double loss[STEPS], grad_norm[STEPS];
  double eval_loss; /* after the last step */
  double by_position[RF_POSITION_CLASSES];
  int64_t counted, eval_counted, eval_correct;
} record;

typedef struct training_case {
  const char *name;
  rf_optimizer_kind optimizer;
  rf_residual residual;
  bool tied, causal;
  int64_t accumulate;
  bool twice;
  uint64_t seed;
} training_case;

/* All three kinds of attention; 21 tokens are padded to 24, so that the last of 8 ranks has nothing but padding. */
static rf_config config_of(const training_case *c) {
  rf_config config = small_mixed_config();
  config.model.vocab_size = 256;
  config.model.causal = c->causal;
  config.model.embedding_dropout = 0.1;
  config.model.positions =
      (rf_positions_config){.kind = RF_POSITIONS_AXIAL, .n_axes = 2, .shape = {5, 7}, .dims = {4, 6}};
  config.model.residual = c->residual;
  config.model.tied_embedding = c->tied;
  config.model.init_std = 0.1;
  config.local = (rf_local_config){.chunk = 12, .chunks_before = 1, .chunks_after = c->causal ? 0 : 1};
  /* any text will do that is there */
  config.data = (rf_data_config){.kind = RF_DATA_BYTES, .length = 21, .split = {0.85, 0.1, 0.05}};
  (void)snprintf(config.data.path, sizeof config.data.path, "%s/../docs/design.md", RF_TESTS_DIR);
  config.training = (rf_training_config){
      .steps = STEPS, .batch = 24, .accumulate = c->accumulate, .clip_norm = 0.5, .seed = c->seed, .eval_batches = 2};
  config.optimizer = (rf_optimizer_config){.kind = c->optimizer,
                                           .lr = c->optimizer == RF_ADAM ? 1e-2 : 5e-2,
                                           .schedule = RF_SCHEDULE_RSQRT,
                                           .warmup = 5,
                                           .beta1 = c->optimizer == RF_ADAM ? 0.9 : 0,
                                           .beta2 = 0.98,
                                           .eps = 1e-8,
                                           .weight_decay = 0.01,
                                           .decay_exponent = -0.8,
                                           .clip_threshold = 1,
                                           .factor_eps = 1e-30,
                                           .scale_eps = 1e-3,
                                           .scale_parameter = c->optimizer == RF_ADAFACTOR};
  return config;
}

static void evaluate(rf_trainer *t, record *r) {
  rf_loss loss;
  assert_ok(rf_evaluate(t->model, t->dataset, RF_SPLIT_VALIDATION, &t->sequences, NULL, &loss));
  assert_true(loss.counted > 0);
  r->eval_loss = rf_loss_mean(&loss);
  r->eval_counted = loss.counted;
  r->eval_correct = loss.correct;
}

/* All parameters of all ranks, put together. The caller frees. */
static real *whole_parameters(const rf_trainer *t, int64_t *n_out) {
  rf_store *store = rf_model_store(t->model);
  const rf_layout *layout = rf_store_layout(store);
  int64_t n = 0, at = 0;
  for (int b = 0; b < layout->n_blocks; b++) n += layout->blocks[b].size;
  real *all = NEW(real, n);
  for (int b = 0; b < layout->n_blocks; b++) {
    const real *params;
    assert_ok(rf_store_lend(store, b, &params));
    memcpy(all + at, params, (size_t)layout->blocks[b].size * sizeof *all);
    rf_store_return(store, b);
    at += layout->blocks[b].size;
  }
  *n_out = n;
  return all;
}

/* mesh NULL: alone. params: the parameters at the end, NULL: not wanted. */
static void train(const training_case *c, rf_mesh *mesh, record *r, real **params, int64_t *n_params) {
  rf_config config = config_of(c);
  rf_trainer t;
  /* what accumulates is not part of the result; where it does not divide, there is less of it */
  if (config.training.batch % (config.training.accumulate * rf_mesh_data_size(mesh)) != 0)
    config.training.accumulate = 1;
  assert_ok(rf_trainer_create(&config, mesh, &t));
  *r = (record){0};
  for (int i = 0; i < STEPS; i++) {
    rf_step_result step;
    assert_ok(rf_train_step(&t, i + 1, &step));
    assert_false(step.skipped);
    r->loss[i] = rf_loss_mean(&step.loss);
    r->grad_norm[i] = step.grad_norm;
    r->counted += step.loss.counted;
    for (int p = 0; p < RF_POSITION_CLASSES; p++) r->by_position[p] += step.loss.sum_by_position[p];
  }
  evaluate(&t, r);
  if (params) *params = whole_parameters(&t, n_params);
  rf_trainer_destroy(&t);
}

#ifdef RF_DOUBLE
#define TOLERANCE 1e-8
#else
#define TOLERANCE 1e-4
#endif

static void compare(const training_case *c, const rf_mesh *mesh, const char *what, int i, double found,
                    double expected) {
  if (fabs(found - expected) <= TOLERANCE * fabs(expected)) return;
  fail_msg("%s (seed %llu), %d x %d ranks: %s %d is %.15g, on one rank %.15g, relative error %.3g", c->name,
           (unsigned long long)c->seed, rf_mesh_data_size(mesh), rf_mesh_sequence_size(mesh), what, i, found, expected,
           fabs(found - expected) / fabs(expected));
}

static void compare_records(const training_case *c, const rf_mesh *mesh, const record *found, const record *expected) {
  for (int i = 0; i < STEPS; i++) {
    compare(c, mesh, "the loss of step", i + 1, found->loss[i], expected->loss[i]);
    compare(c, mesh, "the gradient norm of step", i + 1, found->grad_norm[i], expected->grad_norm[i]);
  }
  compare(c, mesh, "the evaluation loss after step", STEPS, found->eval_loss, expected->eval_loss);
  for (int p = 0; p < RF_POSITION_CLASSES; p++)
    compare(c, mesh, "the loss of position class", p, found->by_position[p], expected->by_position[p]);
  assert_int_equal(found->counted, expected->counted);
  assert_int_equal(found->eval_counted, expected->eval_counted);
  assert_in_range(found->eval_correct, expected->eval_correct - 2, expected->eval_correct + 2); /* near ties */
}

/* One rank trains, and tells the others. */
static void reference(const training_case *c, record *r) {
  rf_mesh *mesh;
  assert_ok(make_mesh(rf_mpi_size(), 1, &mesh));
  if (rf_mpi_rank() == 0) train(c, NULL, r, NULL, NULL);
  assert_ok(rf_broadcast(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 0, r, sizeof *r));
  rf_mesh_destroy(mesh);
}

static const training_case *the_case;
static record the_reference;

/* Also twice: the second time to the bit. */
static void check_training(rf_mesh *mesh) {
  record first, second;
  real *a, *b;
  int64_t n;
  train(the_case, mesh, &first, &a, &n);
  compare_records(the_case, mesh, &first, &the_reference);
  if (the_case->twice) {
    arrive_late(mesh, 3);
    train(the_case, mesh, &second, &b, &n);
    assert_memory_equal(&first, &second, sizeof first);
    assert_same_bits("parameters at the end", n, a, b);
    free(b);
  }
  free(a);
}

static void check_case(const training_case *c) {
  the_case = c;
  reference(c, &the_reference);
  assert_true(the_reference.loss[STEPS - 1] < (STEPS < 20 ? 1 : 0.85) * the_reference.loss[0]); /* it does learn */
  on_every_mesh(check_training);
}

static void test_reversible_layers_under_adam_train_as_on_one_rank(void **state) {
  (void)state;
  check_case(&(training_case){"adam, reversible", RF_ADAM, RF_RESIDUAL_REVERSIBLE, false, true, 2, false, 11});
}

static void test_tied_embeddings_under_adafactor_train_as_on_one_rank_and_twice_the_same(void **state) {
  (void)state;
  check_case(&(training_case){"adafactor, tied", RF_ADAFACTOR, RF_RESIDUAL_REVERSIBLE, true, true, 2, true, 12});
}

static void test_ordinary_layers_without_causality_train_as_on_one_rank(void **state) {
  (void)state;
  check_case(&(training_case){"adam, ordinary", RF_ADAM, RF_RESIDUAL_ORDINARY, false, false, 1, false, 13});
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_reversible_layers_under_adam_train_as_on_one_rank),
    cmocka_unit_test(test_tied_embeddings_under_adafactor_train_as_on_one_rank_and_twice_the_same),
    cmocka_unit_test(test_ordinary_layers_without_causality_train_as_on_one_rank),
};

RANKS_MAIN(tests)
