/* Training steps that stash activations give what steps that compute them again give, within their memory. */
#include "model/footprint.h"
#include "mpi/ranks.h"
#include "support/small_config.h"
#include "train/loss.h"
#include "train/step.h"

enum { STEPS = 2 };

/* All three kinds of attention, dropout everywhere, padding; 2 rounds. */
static rf_config config_of(rf_residual residual) {
  rf_config config = small_mixed_config();
  config.model.vocab_size = 256;
  config.model.embedding_dropout = 0.1;
  config.model.positions = (rf_positions_config){.kind = RF_POSITIONS_ROTARY};
  config.model.residual = residual;
  config.model.init_std = 0.1;
  config.local = (rf_local_config){.chunk = 16, .chunks_before = 1};
  config.data = (rf_data_config){.kind = RF_DATA_DUPLICATE, .length = 122};
  config.training = (rf_training_config){.steps = STEPS, .batch = 12, .accumulate = 1, .clip_norm = 0.5, .seed = 5};
  config.optimizer = (rf_optimizer_config){.kind = RF_ADAM, .lr = 1e-3, .beta1 = 0.9, .beta2 = 0.98, .eps = 1e-8};
  return config;
}

typedef struct record {
  double loss[STEPS], grad_norm[STEPS];
  rf_stash_summary stash;
  int64_t need; /* bytes that this rank may hold, nothing stashed */
} record;

static int64_t bytes_there(const rf_trainer *t) {
  return (int64_t)(rf_store_memory_used(rf_model_store(t->model)) + rf_optimizer_memory_used(t->optimizer) +
                   rf_arena_memory_used(t->arena));
}

/* Also: no memory is taken in a step after the first, and what is held stays within the limit. */
static void train(rf_mesh *mesh, rf_residual residual, int64_t limit, record *r) {
  rf_config config = config_of(residual);
  rf_trainer t;
  size_t growths = 0;
  config.training.memory_limit = limit;
  *r = (record){0};
  assert_ok(rf_trainer_create(&config, mesh, &t));
  r->stash = t.stash;
  rf_model_sizes sizes;
  assert_ok(rf_model_footprint(&config, mesh, t.sequences.micro, NULL, &sizes));
  const size_t tables = 65536; /* of pointers, not measured */
  const size_t transients = sizes.scratch - sizes.streams - sizes.buckets - sizes.activations;
  const size_t step_bytes = sizes.scratch + tables + (rf_mesh_sequence_size(mesh) > 1 ? transients / 2 : 0);
  r->need = bytes_there(&t) + (int64_t)step_bytes;
  for (int i = 0; i < STEPS; i++) {
    rf_step_result step;
    assert_ok(rf_train_step(&t, i + 1, &step));
    r->loss[i] = rf_loss_mean(&step.loss);
    r->grad_norm[i] = step.grad_norm;
    if (i == 0) growths = rf_model_scratch_growths(t.model);
  }
  assert_int_equal(rf_model_scratch_growths(t.model), growths);
#ifndef RF_SANITIZE /* red zones are not counted */
  const size_t scratch = rf_model_scratch_used(t.model);
  assert_in_range(scratch, step_bytes / 3, step_bytes + (size_t)r->stash.bytes);
  if (limit > 0 && r->stash.bytes > 0) assert_in_range(bytes_there(&t) + (int64_t)scratch, 1, limit);
#endif
  rf_trainer_destroy(&t);
}

/* What is rebuilt is off by roundings of the streams; in float a rounding may also tip a dropped hidden unit's sign. */
#ifdef RF_DOUBLE
#define TOLERANCE 1e-9
#else
#define TOLERANCE 2e-4
#endif

static void compare(const char *what, double found, double expected, double tolerance) {
  if (fabs(found - expected) <= tolerance * fabs(expected)) return;
  fail_msg("%s is %.15g, computed again %.15g", what, found, expected);
}

static bool exists(rf_residual residual, int part) {
  const bool stream = part == RF_STASH_FIRST_STREAM || part == RF_STASH_SECOND_STREAM;
  return residual == RF_RESIDUAL_REVERSIBLE || !stream;
}

static void compare_records(const record *found, const record *expected, double tolerance) {
  compare("the loss of the first step", found->loss[0], expected->loss[0], 0);
  for (int step = 0; step < STEPS; step++) {
    compare("a loss", found->loss[step], expected->loss[step], tolerance);
    compare("a gradient norm", found->grad_norm[step], expected->grad_norm[step], tolerance);
  }
}

/* Nothing, everything, and half of it. */
static void check(rf_mesh *mesh, rf_residual residual) {
  const double tolerance = residual == RF_RESIDUAL_ORDINARY ? 0 : TOLERANCE;
  record again, all, half;
  train(mesh, residual, 0, &again);
  train(mesh, residual, residual == RF_RESIDUAL_ORDINARY ? RF_MEMORY_AUTO : (int64_t)1 << 32, &all);
  assert_int_equal(again.stash.bytes, 0);
  for (int part = 0; part < RF_STASH_PARTS; part++)
    assert_int_equal(all.stash.layers[part], exists(residual, part) ? 3 : 0);
  double need = (double)again.need; /* of the rank with most */
  assert_ok(rf_max_doubles(mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &need));
  train(mesh, residual, (int64_t)need + all.stash.bytes / 2, &half);
  assert_in_range(half.stash.bytes, all.stash.bytes / 4, all.stash.bytes / 2);
  compare_records(&all, &again, tolerance);
  compare_records(&half, &again, tolerance);
}

static void check_ordinary(rf_mesh *mesh) { check(mesh, RF_RESIDUAL_ORDINARY); }
static void check_reversible(rf_mesh *mesh) { check(mesh, RF_RESIDUAL_REVERSIBLE); }

static void test_ordinary_layers_train_the_same_to_the_bit_whatever_is_stashed(void **state) {
  (void)state;
  on_every_mesh(check_ordinary);
}

static void test_reversible_layers_train_the_same_to_rounding_whatever_is_stashed(void **state) {
  (void)state;
  on_every_mesh(check_reversible);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_ordinary_layers_train_the_same_to_the_bit_whatever_is_stashed),
    cmocka_unit_test(test_reversible_layers_train_the_same_to_rounding_whatever_is_stashed),
};

RANKS_MAIN(tests)
