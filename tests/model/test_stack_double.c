/* The backward pass of whole stacks: rebuilt inputs against stored ones, and gradients against central differences. */
#include "model/stack.h"
#include "support/check_vjp.h"
#include "support/model_case.h"

enum { SEQUENCES = 2, TOKENS = 48 };

static rf_config deep_config(rf_residual residual) {
  rf_config c = small_config();
  c.model.n_attention = 3;
  c.model.attention[0] = RF_ATTENTION_LSH;
  c.model.attention[1] = RF_ATTENTION_LOCAL;
  c.model.attention[2] = RF_ATTENTION_FULL;
  c.model.n_layers = 6;
  c.model.positions = (rf_positions_config){.kind = RF_POSITIONS_LEARNED, .shape = {TOKENS}};
  c.model.residual = residual;
  c.model.dropout = 0.2;
  c.model.attention_dropout = 0.1;
  c.model.embedding_dropout = 0.1;
  return c;
}

static const uint32_t places[SEQUENCES] = {4, 9};

/* Streams and gradients of one run of a stack. */
typedef struct run {
  rf_store *store;
  real *x1, *x2, *dx1, *dx2; /* [n] */
} run;

typedef struct stack_case {
  rf_config config;
  rf_blocks blocks;
  rf_arena *arena, *plans;
  rf_call call;
  int64_t n;
  real *start1, *start2, *d1, *d2; /* both runs start from these */
} stack_case;

static stack_case *stack_create(const rf_config *config, dice *d) {
  stack_case *c = NEW(stack_case, 1);
  c->config = *config;
  assert_ok(rf_blocks_create(&c->config, &c->blocks));
  assert_ok(rf_arena_create("stack under test", 0, &c->arena));
  assert_ok(rf_arena_create("plans under test", 0, &c->plans));
  c->n = SEQUENCES * TOKENS * config->model.d_model;
  c->call = (rf_call){.sequences = SEQUENCES,
                      .tokens = TOKENS,
                      .sequence = places,
                      .seed = d->seed,
                      .step = 2,
                      .training = true,
                      .length = TOKENS,
                      .scratch = c->arena,
                      .plans = c->plans};
  real **starts[] = {&c->start1, &c->start2, &c->d1, &c->d2};
  for (int i = 0; i < 4; i++) *starts[i] = dice_reals(d, c->n, 1);
  return c;
}

static void stack_destroy(stack_case *c) {
  rf_arena_destroy(c->arena);
  rf_arena_destroy(c->plans);
  rf_blocks_destroy(&c->blocks);
  free(c->start1);
  free(c->start2);
  free(c->d1);
  free(c->d2);
  free(c);
}

static real *copy(const real *x, int64_t n) {
  real *y = NEW(real, n);
  memcpy(y, x, (size_t)n * sizeof *y);
  return y;
}

static run run_create(const stack_case *c) {
  run r = {
      .x1 = copy(c->start1, c->n), .x2 = copy(c->start2, c->n), .dx1 = copy(c->d1, c->n), .dx2 = copy(c->d2, c->n)};
  assert_ok(rf_store_create(&c->blocks.layout, NULL, &r.store));
  rf_store_initialise(r.store, 8, 0.3);
  return r;
}

static void run_destroy(run *r) {
  rf_store_destroy(r->store);
  free(r->x1);
  free(r->x2);
  free(r->dx1);
  free(r->dx2);
}

/* Ordinary back-propagation: the input of every sublayer is kept, and nothing is rebuilt. */
static void run_stored(const stack_case *c, run *r) {
  const int64_t layers = c->blocks.n_layers;
  real **f_inputs = NEW(real *, layers), **g_inputs = NEW(real *, layers);
  void **saved = NEW(void *, layers);
  for (int64_t i = 0; i < layers; i++) {
    const rf_sublayer *f = &c->blocks.layers[i].attention, *g = &c->blocks.layers[i].feed_forward;
    const real *params = rf_store_shard(r->store, rf_layer_block(i)).params;
    saved[i] = NEW(char, f->ops->saved_bytes(f, &c->call));
    f_inputs[i] = copy(r->x2, c->n);
    assert_ok(f->ops->apply(f, &c->call, params + f->first, f_inputs[i], 1, r->x1, saved[i]));
    g_inputs[i] = copy(r->x1, c->n);
    assert_ok(g->ops->apply(g, &c->call, params + g->first, g_inputs[i], 1, r->x2, NULL));
  }
  for (int64_t i = layers - 1; i >= 0; i--) {
    const rf_sublayer *f = &c->blocks.layers[i].attention, *g = &c->blocks.layers[i].feed_forward;
    const rf_shard shard = rf_store_shard(r->store, rf_layer_block(i));
    const rf_sublayer_vjp of_g = {shard.params + g->first,   g_inputs[i], r->dx2, NULL, r->dx1,
                                  shard.gradient + g->first, NULL};
    const rf_sublayer_vjp of_f = {shard.params + f->first,   f_inputs[i], r->dx1, NULL, r->dx2,
                                  shard.gradient + f->first, saved[i]};
    assert_ok(g->ops->apply_vjp(g, &c->call, &of_g));
    assert_ok(f->ops->apply_vjp(f, &c->call, &of_f));
    free(f_inputs[i]);
    free(g_inputs[i]);
    free(saved[i]);
  }
  free(f_inputs);
  free(g_inputs);
  free(saved);
}

static void test_rebuilt_activations_give_the_gradients_of_stored_ones(void **state) {
  (void)state;
  const double tolerance = 1e-10; /* the rebuilt input of each of twelve sublayers is off by a rounding or two */
  dice d = {.seed = 301};
  const rf_config config = deep_config(RF_RESIDUAL_REVERSIBLE);
  stack_case *c = stack_create(&config, &d);
  run rebuilt = run_create(c), stored = run_create(c);
  const rf_stack stack = {.blocks = &c->blocks, .store = rebuilt.store};
  rf_stash stash;
  assert_ok(rf_stash_take(&c->blocks, NULL, &c->call, true, &stash));
  assert_ok(rf_reversible_forward(&stack, &c->call, &stash, rebuilt.x1, rebuilt.x2));
  run_stored(c, &stored);
  assert_close("y1", relative_error_real(c->n, rebuilt.x1, stored.x1), 0);
  assert_close("y2", relative_error_real(c->n, rebuilt.x2, stored.x2), 0);
  assert_ok(rf_reversible_backward(&stack, &c->call, &stash, rebuilt.x1, rebuilt.x2, rebuilt.dx1, rebuilt.dx2));
  assert_close("x1 rebuilt", relative_error_real(c->n, rebuilt.x1, c->start1), tolerance);
  assert_close("x2 rebuilt", relative_error_real(c->n, rebuilt.x2, c->start2), tolerance);
  assert_close("dx1", relative_error_real(c->n, rebuilt.dx1, stored.dx1), tolerance);
  assert_close("dx2", relative_error_real(c->n, rebuilt.dx2, stored.dx2), tolerance);
  for (int64_t i = 0; i < c->blocks.n_layers; i++) {
    const int b = rf_layer_block(i);
    for (int t = 0; t < c->blocks.layout.blocks[b].n_tensors; t++) {
      const rf_tensor *tensor = &c->blocks.layout.blocks[b].tensors[t];
      assert_close(tensor->name,
                   relative_error_real(rf_tensor_count(tensor),
                                       rf_store_shard(rebuilt.store, b).gradient + tensor->offset,
                                       rf_store_shard(stored.store, b).gradient + tensor->offset),
                   tolerance);
    }
  }
  run_destroy(&rebuilt);
  run_destroy(&stored);
  stack_destroy(c);
}

/* Only buckets are stashed: 2 bytes a token, head and round of each LSH layer, rounded up to the arena's alignment. */
static void test_the_reversible_stack_stashes_hash_buckets_only(void **state) {
  (void)state;
  dice d = {.seed = 302};
  const rf_config config = deep_config(RF_RESIDUAL_REVERSIBLE);
  stack_case *c = stack_create(&config, &d);
  const rf_mark before = rf_arena_mark(c->arena);
  rf_stash stash;
  assert_ok(rf_stash_take(&c->blocks, NULL, &c->call, true, &stash));
  const size_t buckets =
      (size_t)(2 * SEQUENCES * TOKENS * config.model.n_heads * config.lsh.n_hashes * rf_blocks_lsh_layers(&c->blocks));
  const size_t tables = (size_t)(2 * 2 * config.model.n_layers) * sizeof(void *), alignment = 64;
  const size_t taken = rf_arena_mark(c->arena) - before;
  assert_true(taken >= buckets + tables && taken <= buckets + tables + 2 * alignment * 4);
  for (int64_t i = 0; i < config.model.n_layers; i++)
    for (int branch = 0; branch < RF_BRANCHES; branch++) assert_null(stash.activations[i][branch]);
  stack_destroy(c);
}

/* --- Whole models against central differences -------------------------------------------------------- */

typedef struct loss_probe {
  model_case *c;
  double scale;
} loss_probe;

/* With dropout, as gradients see it: the loss that rf_model_gradients itself returns. */
static double loss_of(void *context) {
  const loss_probe *p = context;
  rf_loss loss;
  free(model_case_gradients(p->c, p->scale, &loss));
  return loss.sum * p->scale;
}

/* A nudge may move a token to another bucket, where the loss jumps; so steps are small enough that none does, and the
 * subtraction then leaves 1e-16 |f| / h = 1e-9 of a loss near 3. */
static void check_model(const char *what, const rf_config *config, bool padding) {
  const double h = 3e-7, tolerance = 1e-6;
  model_case *c = model_case_create(config, SEQUENCES, TOKENS, padding, 303);
  const rf_layout *layout = rf_store_layout(rf_model_store(c->model));
  dice d = {.seed = 304};
  loss_probe probe = {c, 1 / (double)c->counted};
  rf_loss loss;
  real *all = model_case_gradients(c, probe.scale, &loss), *gradient = all;
  for (int b = 0; b < layout->n_blocks; gradient += layout->blocks[b++].size)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[t];
      const int64_t n = rf_tensor_count(tensor);
      char name[256];
      snprintf(name, sizeof name, "%s: %s", what, tensor->name);
      real *direction = dice_reals(&d, n, 1);
      check_direction(name, d.seed, loss_of, &probe, n,
                      rf_store_shard(rf_model_store(c->model), b).params + tensor->offset, gradient + tensor->offset,
                      direction, h, tolerance);
      free(direction);
    }
  free(all);
  model_case_destroy(c);
}

static void test_gradients_of_a_reversible_model(void **state) {
  (void)state;
  rf_config config = deep_config(RF_RESIDUAL_REVERSIBLE);
  config.model.n_layers = 3;
  check_model("reversible", &config, true);
  config.model.tied_embedding = true;
  check_model("reversible, tied", &config, false);
}

static void test_gradients_of_an_ordinary_model(void **state) {
  (void)state;
  rf_config config = deep_config(RF_RESIDUAL_ORDINARY);
  config.model.n_layers = 3;
  check_model("ordinary", &config, true);
  config.model.tied_embedding = true;
  check_model("ordinary, tied", &config, false);
}

static void test_gradients_of_a_model_that_is_not_causal(void **state) {
  (void)state;
  rf_config config = deep_config(RF_RESIDUAL_REVERSIBLE);
  config.model.n_layers = 3;
  config.model.causal = false;
  config.model.positions = (rf_positions_config){.kind = RF_POSITIONS_ROTARY};
  config.lsh.duplicates = RF_DUPLICATES_DIVIDE;
  config.local.chunks_after = config.lsh.chunks_after = 1;
  check_model("not causal", &config, true);
}

/* The sum over micro-batches: gradients are added to what is there, each with its scale. */
static void test_gradients_of_two_calls_add_up(void **state) {
  (void)state;
  rf_config config = deep_config(RF_RESIDUAL_REVERSIBLE);
  model_case *c = model_case_create(&config, SEQUENCES, TOKENS, false, 305);
  rf_loss loss;
  real *one = model_case_gradients(c, 1, &loss);
  assert_ok(rf_model_gradients(c->model, &c->batch, 2, &loss));
  const rf_layout *layout = rf_store_layout(rf_model_store(c->model));
  real *at = one;
  for (int b = 0; b < layout->n_blocks; at += layout->blocks[b++].size) {
    for (int64_t i = 0; i < layout->blocks[b].size; i++) at[i] *= 3;
    assert_close(layout->blocks[b].name,
                 relative_error_real(layout->blocks[b].size, rf_store_shard(rf_model_store(c->model), b).gradient, at),
                 1e-13);
  }
  free(one);
  model_case_destroy(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_rebuilt_activations_give_the_gradients_of_stored_ones),
      cmocka_unit_test(test_the_reversible_stack_stashes_hash_buckets_only),
      cmocka_unit_test(test_gradients_of_a_reversible_model),
      cmocka_unit_test(test_gradients_of_an_ordinary_model),
      cmocka_unit_test(test_gradients_of_a_model_that_is_not_causal),
      cmocka_unit_test(test_gradients_of_two_calls_add_up),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
