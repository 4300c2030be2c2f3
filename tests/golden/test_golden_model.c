/* Whole models against HuggingFace's logits, loss and parameter gradients, with the file's own rotations, which
 * lsh.rotations reads from the golden file itself. */
#include "golden/golden.h"
#include "lsh/hash.h"
#include "model/stack.h"
#include "nn/embedding.h"
#include "nn/head.h"
#include "reformer/dataset.h"
#include "reformer/model.h"
#include "support/sublayer_case.h"

typedef struct model_case {
  golden g;
  rf_model *model;
  rf_batch batch;
  int32_t *ids, *labels;
  uint8_t *mask;
  int64_t counted, values, vocab; /* values: of a stream */
} model_case;

static void load_weights(const golden *g, rf_store *store) {
  const rf_layout *layout = rf_store_layout(store);
  int64_t tensors = 0;
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++, tensors++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[t];
      char name[160] = "weights/";
      golden_tensor_name(tensor->name, name + strlen(name), sizeof name - strlen(name));
      real *values = golden_reals(g, name, rf_tensor_count(tensor));
      memcpy(rf_store_shard(store, b).params + tensor->offset, values,
             (size_t)rf_tensor_count(tensor) * sizeof *values);
      free(values);
    }
  assert_int_equal(golden_links(g, "weights"), tensors);
}

static void check_gradients(const golden *g, const rf_store *store) {
  const rf_layout *layout = rf_store_layout(store);
  int64_t tensors = 0;
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++, tensors++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[t];
      char name[160] = "gradient/";
      golden_tensor_name(tensor->name, name + strlen(name), sizeof name - strlen(name));
      golden_compare(g, name, rf_tensor_count(tensor), rf_store_shard(store, b).gradient + tensor->offset);
    }
  assert_int_equal(golden_links(g, "gradient"), tensors);
}

/* A causal model predicts the next token: its labels move one to the left. */
static void shift_labels(int64_t sequences, int64_t tokens, int32_t *labels) {
  for (int64_t s = 0; s < sequences; s++) {
    memmove(labels + s * tokens, labels + s * tokens + 1, (size_t)(tokens - 1) * sizeof *labels);
    labels[s * tokens + tokens - 1] = RF_IGNORE;
  }
}

static model_case open_case(const char *file) {
  static const uint32_t places[] = {0, 1, 2, 3};
  model_case c = {.g = golden_open(file)};
  rf_config config = golden_config(&c.g);
  config.lsh.rotations = RF_ROTATIONS_FILE;
  snprintf(config.lsh.rotations_file, sizeof config.lsh.rotations_file, "%s", golden_path(file));
  assert_ok(rf_model_create(&config, NULL, &c.model));
  assert_true(rf_model_is_valid(c.model));
  load_weights(&c.g, rf_model_store(c.model));
  const int64_t sequences = golden_int(&c.g, "batch", 0), tokens = golden_int(&c.g, "length", 0);
  c.ids = golden_ints(&c.g, "input/tokens", sequences * tokens);
  c.labels = golden_ints(&c.g, "input/labels", sequences * tokens);
  if (config.model.causal) shift_labels(sequences, tokens, c.labels);
  for (int64_t i = 0; i < sequences * tokens; i++) c.counted += c.labels[i] != RF_IGNORE;
  c.mask = golden_mask(&c.g, sequences * tokens);
  c.batch = (rf_batch){.sequences = sequences,
                       .tokens = tokens,
                       .ids = c.ids,
                       .labels = c.labels,
                       .mask = c.mask,
                       .sequence = places,
                       .seed = 1,
                       .step = 1};
  c.values = sequences * tokens * config.model.d_model;
  c.vocab = config.model.vocab_size;
  return c;
}

static void close_case(model_case *c) {
  rf_model_destroy(c->model);
  free(c->ids);
  free(c->labels);
  free(c->mask);
  golden_close(&c->g);
}

static void check_loss(const model_case *c, const rf_loss *loss) {
  double *reference = golden_read(&c->g, "output/loss", NULL);
  assert_int_equal(loss->counted, c->counted);
  const double error = fabs(loss->sum / (double)loss->counted - *reference) / *reference;
  free(reference);
  assert_close(c->g.name, error, GOLDEN_TOLERANCE);
}

/* Through the public door: the model hashes for itself. */
static void check_model(model_case *c) {
  rf_loss loss = {0}, evaluated = {0};
  rf_store_clear_gradients(rf_model_store(c->model));
  assert_ok(rf_model_gradients(c->model, &c->batch, 1 / (double)c->counted, &loss));
  check_loss(c, &loss);
  check_gradients(&c->g, rf_model_store(c->model));
  assert_ok(rf_model_evaluate(c->model, &c->batch, &evaluated));
  check_loss(c, &evaluated);
  const int64_t tokens = c->batch.tokens, of_one = tokens * c->vocab;
  real *logits = NEW(real, c->batch.sequences * of_one);
  for (int64_t s = 0; s < c->batch.sequences; s++) {
    rf_batch one = c->batch;
    one.sequences = 1;
    one.ids += s * tokens;
    if (one.mask) one.mask += s * tokens;
    assert_ok(rf_model_logits(c->model, &one, 0, tokens, logits + s * of_one));
  }
  golden_compare(&c->g, "output/logits", c->batch.sequences * of_one, logits);
  free(logits);
}

/* The same model taken apart: its own blocks and store, so that buckets can be looked at and given. */
typedef struct replay {
  rf_blocks blocks;
  rf_store *store;
  rf_arena *arena, *plans;
  rf_call call;
  rf_stack stack;
  rf_stash stash;
  real *x1, *x2, *dx1, *dx2;
} replay;

static void open_replay(const model_case *c, replay *r) {
  *r = (replay){0};
  const rf_config *config = rf_model_config_of(c->model);
  assert_ok(rf_blocks_create(config, &r->blocks));
  const rf_hash_shape shape = rf_hash_shape_of(&config->lsh, config->model.d_head);
  for (int64_t i = 0; i < rf_blocks_lsh_layers(&r->blocks); i++) {
    char name[32];
    snprintf(name, sizeof name, "rotations/%lld", (long long)i);
    real *rotations = golden_reals(&c->g, name, config->model.n_heads * shape.d_head * shape.rounds * shape.columns);
    assert_ok(rf_blocks_set_rotations(&r->blocks, i, rotations));
    free(rotations);
  }
  assert_ok(rf_store_create(&r->blocks.layout, NULL, &r->store));
  load_weights(&c->g, r->store);
  assert_ok(rf_arena_create("replay", 0, &r->arena));
  assert_ok(rf_arena_create("plans", 0, &r->plans));
  r->call = (rf_call){.sequences = c->batch.sequences,
                      .tokens = c->batch.tokens,
                      .mask = c->batch.mask,
                      .sequence = c->batch.sequence,
                      .training = true,
                      .length = c->batch.tokens,
                      .scratch = r->arena,
                      .plans = r->plans};
  r->stack = (rf_stack){.blocks = &r->blocks, .store = r->store};
  assert_ok(rf_stash_take(&r->blocks, NULL, &r->call, true, &r->stash));
  real **streams[] = {&r->x1, &r->x2, &r->dx1, &r->dx2};
  for (size_t i = 0; i < sizeof streams / sizeof *streams; i++) *streams[i] = NEW(real, c->values);
}

static void close_replay(replay *r) {
  rf_arena_destroy(r->arena);
  rf_arena_destroy(r->plans);
  rf_store_destroy(r->store);
  rf_blocks_destroy(&r->blocks);
  free(r->x1);
  free(r->x2);
  free(r->dx1);
  free(r->dx2);
}

static void embed(const model_case *c, replay *r) {
  const real *params = rf_store_shard(r->store, RF_BLOCK_EMBEDDING).params;
  rf_embedding_apply(rf_model_config_of(c->model), &r->call, params, c->batch.ids, r->x1);
  memcpy(r->x2, r->x1, (size_t)c->values * sizeof(real));
}

/* Buckets of the n-th LSH layer as the reference has them; see README.md. */
static int32_t *reference_buckets(const model_case *c, int64_t lsh_layer, int64_t n) {
  const golden all = {.name = "model_buckets", .file = golden_file("model_buckets")};
  assert_true(all.file >= 0);
  char name[64];
  snprintf(name, sizeof name, "%s/%lld", c->g.name, (long long)lsh_layer);
  int32_t *buckets = golden_ints(&all, name, n);
  assert_true(H5Fclose(all.file) >= 0);
  return buckets;
}

/* The buckets of a layer's forward pass against the reference's, which take their place. Returns how many differed. */
static int64_t settle_buckets(const model_case *c, const replay *r, int64_t layer, int64_t lsh_layer) {
  const rf_config *config = rf_model_config_of(c->model);
  const rf_hash_shape shape = rf_hash_shape_of(&config->lsh, config->model.d_head);
  const int64_t n = c->batch.sequences * config->model.n_heads * shape.rounds * c->batch.tokens;
  const rf_buckets buckets = {.data = r->stash.saved[layer][RF_BRANCH_ATTENTION],
                              .bytes = rf_bucket_bytes(shape.buckets)};
  return golden_settle_buckets(&c->g, &buckets, reference_buckets(c, lsh_layer, n), n);
}

/* The forward pass, at the reference's buckets. Returns how many the model itself would have chosen differently. */
static int64_t replay_forward(const model_case *c, replay *r) {
  const rf_config *config = rf_model_config_of(c->model);
  int64_t flipped = 0, lsh_layers = 0;
  embed(c, r);
  real *before = NEW(real, c->values);
  for (int64_t i = 0; i < r->blocks.n_layers; i++) {
    const rf_sublayer *f = &r->blocks.layers[i].attention, *g = &r->blocks.layers[i].feed_forward;
    const real *params = rf_store_shard(r->store, rf_layer_block(i)).params;
    void *saved = r->stash.saved[i][RF_BRANCH_ATTENTION];
    memcpy(before, r->x1, (size_t)c->values * sizeof *before);
    assert_ok(f->ops->apply(f, &r->call, params + f->first, r->x2, 1, r->x1, saved));
    if (rf_layer_attention(&config->model, i) == RF_ATTENTION_LSH) {
      const int64_t of_layer = settle_buckets(c, r, i, lsh_layers++);
      flipped += of_layer;
      if (of_layer > 0) {
        memcpy(r->x1, before, (size_t)c->values * sizeof *before);
        sublayer_forward_at(f, &r->call, params + f->first, r->blocks.layout.blocks[rf_layer_block(i)].size, c->values,
                            r->x2, 1, r->x1, saved);
      }
    }
    assert_ok(g->ops->apply(g, &r->call, params + g->first, r->x1, 1, r->x2, NULL));
  }
  free(before);
  return flipped;
}

static void replay_backward(const model_case *c, replay *r) {
  const rf_config *config = rf_model_config_of(c->model);
  const int head = rf_head_block(&r->blocks);
  const rf_head_input input = {.params = rf_store_shard(r->store, head).params, .y1 = r->x1, .y2 = r->x2};
  const rf_head_gradient gradient = {.params = rf_store_shard(r->store, head).gradient, .dy1 = r->dx1, .dy2 = r->dx2};
  rf_loss loss = {0};
  assert_ok(rf_head_loss(config, &r->call, &input, c->batch.labels, 1 / (double)c->counted, &loss, &gradient));
  check_loss(c, &loss);
  const int64_t rows = c->batch.sequences * c->batch.tokens;
  real *logits = NEW(real, rows * c->vocab);
  rf_call evaluation = r->call;
  evaluation.training = false;
  assert_ok(rf_head_logits(config, &evaluation, &input, 0, rows, logits));
  golden_compare(&c->g, "output/logits", rows * c->vocab, logits);
  free(logits);
  assert_ok(rf_reversible_backward(&r->stack, &r->call, &r->stash, r->x1, r->x2, r->dx1, r->dx2));
  for (int64_t i = 0; i < c->values; i++) r->dx1[i] += r->dx2[i];
  rf_embedding_vjp(config, &r->call, c->batch.ids, r->dx1, rf_store_shard(r->store, RF_BLOCK_EMBEDDING).gradient);
  check_gradients(&c->g, r->store);
}

static void check_file(const char *file) {
  model_case c = open_case(file);
  replay r;
  open_replay(&c, &r);
  const int64_t flipped = replay_forward(&c, &r);
  replay_backward(&c, &r);
  close_replay(&r);
  if (flipped == 0)
    check_model(&c);
  else
    print_message("%s: %lld buckets flipped by rounding; compared at the reference's\n", file, (long long)flipped);
  close_case(&c);
}

static void test_lsh_model_agrees_with_the_published_numbers(void **state) {
  (void)state;
  check_file("model_lsh");
}

static void test_mixed_model_agrees_with_the_published_numbers(void **state) {
  (void)state;
  check_file("model_mixed");
}

static void test_padded_model_agrees_with_the_published_numbers(void **state) {
  (void)state;
  check_file("model_padded");
}

static void test_masked_lm_agrees_with_the_published_numbers(void **state) {
  (void)state;
  check_file("model_masked_lm");
}

static void test_gelu_model_with_learned_positions_agrees_with_the_published_numbers(void **state) {
  (void)state;
  check_file("model_gelu_learned_pos");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_lsh_model_agrees_with_the_published_numbers),
      cmocka_unit_test(test_mixed_model_agrees_with_the_published_numbers),
      cmocka_unit_test(test_padded_model_agrees_with_the_published_numbers),
      cmocka_unit_test(test_masked_lm_agrees_with_the_published_numbers),
      cmocka_unit_test(test_gelu_model_with_learned_positions_agrees_with_the_published_numbers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
