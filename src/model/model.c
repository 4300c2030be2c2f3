#include "reformer/model.h"
#include "base/integers.h"
#include "comm/collective.h"
#include "comm/mesh.h"
#include "comm/poll.h"
#include "kernel/gemm_packed.h"
#include "model/budget.h"
#include "model/rotations_file.h"
#include "model/stack.h"
#include "nn/embedding.h"
#include "nn/head.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct rf_model {
  rf_config config;
  rf_blocks blocks;
  rf_store *store;
  rf_mesh *mesh; /* lent; NULL: alone */
  rf_arena *scratch, *plans, *messages[2];
  rf_layer_stash *stash; /* [n_layers] */
};

static rf_status check_precision(const rf_config *config) {
  const char *obstacle = rf_precision_obstacle(config->model.precision);
  if (!obstacle) return RF_OK;
  return rf_fail(RF_BAD_CONFIG, "model.precision: found bf16, but %s; allowed here: full", obstacle);
}

static rf_status build_model(rf_model *model) {
  RF_TRY(check_precision(&model->config));
  RF_TRY(rf_blocks_create(&model->config, &model->blocks));
  model->stash = calloc((size_t)model->blocks.n_layers, sizeof *model->stash);
  if (!model->stash)
    return rf_fail(RF_FAILED, "out of memory: table of %lld layers", (long long)model->blocks.n_layers);
  if (model->config.lsh.rotations == RF_ROTATIONS_FILE)
    RF_TRY(rf_rotations_file_load(model->config.lsh.rotations_file, &model->blocks));
  RF_TRY(rf_store_create(&model->blocks.layout, model->mesh, &model->store));
  RF_TRY(rf_arena_create("plans of exchanges", 0, &model->plans));
  for (int i = 0; i < 2; i++) RF_TRY(rf_arena_create("messages", 0, &model->messages[i]));
  return rf_arena_create("activations and scratch", 0, &model->scratch);
}

rf_status rf_model_create(const rf_config *config, struct rf_mesh *mesh, rf_model **out) {
  *out = NULL;
  rf_model *model = calloc(1, sizeof *model);
  if (!model) return rf_fail(RF_FAILED, "out of memory: model");
  model->config = *config;
  model->mesh = mesh;
  rf_mesh_hold(mesh);
  const rf_status status = build_model(model);
  if (status != RF_OK) {
    rf_model_destroy(model); /* keeps it while messages are under way, of which a model that fails here has none */
    return status;           /* NOLINT(clang-analyzer-unix.Malloc) */
  }
  *out = model;
  return RF_OK;
}

void rf_model_destroy(rf_model *model) {
  if (!model) return;
  rf_mesh_let_go(model->mesh);
  if (rf_mesh_is_flying(model->mesh)) return; /* messages of a failed pass, into the arenas */
  for (int i = 0; i < 2; i++) rf_arena_destroy(model->messages[i]);
  rf_arena_destroy(model->plans);
  rf_arena_destroy(model->scratch);
  rf_store_destroy(model->store);
  rf_blocks_destroy(&model->blocks);
  free(model->stash);
  free(model);
}

bool rf_model_is_valid(const rf_model *model) {
  bool valid = model && model->store && model->scratch && model->blocks.layout.n_blocks == model->blocks.n_layers + 2;
  for (int b = 0; valid && b < model->blocks.layout.n_blocks; b++) {
    int64_t end = 0;
    const rf_block *block = &model->blocks.layout.blocks[b];
    for (int t = 0; valid && t < block->n_tensors; t++) {
      valid = block->tensors[t].offset == end;
      end += rf_aligned(rf_tensor_count(&block->tensors[t]));
    }
    valid = valid && end == block->size;
  }
  return valid;
}

const rf_config *rf_model_config_of(const rf_model *model) { return &model->config; }
rf_status rf_model_set_config(rf_model *model, const rf_config *config) {
  assert(rf_model_is_valid(model));
  RF_TRY(check_precision(config));
  RF_TRY(rf_blocks_check_rotations(&model->blocks, &config->lsh));
  model->config = *config;
  return RF_OK;
}
rf_store *rf_model_store(rf_model *model) {
  assert(rf_model_is_valid(model));
  return model->store;
}
rf_status rf_model_set_rotations(rf_model *model, int64_t lsh_layer, const real *rotations) {
  assert(rf_model_is_valid(model));
  return rf_blocks_set_rotations(&model->blocks, lsh_layer, rotations);
}
size_t rf_model_scratch_used(const rf_model *model) {
  return rf_arena_memory_used(model->scratch) + rf_arena_memory_used(model->plans) +
         rf_arena_memory_used(model->messages[0]) + rf_arena_memory_used(model->messages[1]);
}
size_t rf_model_scratch_growths(const rf_model *model) {
  return rf_arena_growths(model->scratch) + rf_arena_growths(model->plans) + rf_arena_growths(model->messages[0]) +
         rf_arena_growths(model->messages[1]);
}

/* The call of a training step at the rank with most tokens; the same on all ranks. */
static rf_call largest_call(const rf_model *model, int64_t sequences, int64_t length) {
  const int ranks = rf_mesh_sequence_size(model->mesh);
  return (rf_call){.sequences = sequences, .tokens = rf_ceil_div(length, ranks), .length = length, .mesh = model->mesh};
}

rf_status rf_model_stash(rf_model *model, int64_t sequences, int64_t length, int64_t bytes, rf_stash_summary *summary) {
  assert(rf_model_is_valid(model));
  const rf_call call = largest_call(model, sequences, length);
  double least = -(double)bytes;
  RF_TRY(rf_max_doubles(model->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &least));
  return rf_budget_plan(&model->blocks, &call, (int64_t)-least, model->stash, summary);
}

/* One pass over a batch: the call that sublayers see, the streams, and what the stack stashes. */
typedef struct pass {
  rf_model *model;
  const rf_batch *batch;
  rf_call call;
  rf_stack stack;
  rf_stash stash;
  bool reversible;
  size_t stream; /* reals */
  real *x1, *x2; /* x2 NULL with ordinary residuals */
} pass;

static rf_status begin_pass(rf_model *model, const rf_batch *batch, bool backward, pass *p) {
  *p = (pass){.model = model,
              .batch = batch,
              .call = {.sequences = batch->sequences,
                       .tokens = batch->tokens,
                       .length = batch->length > 0 ? batch->length : batch->tokens,
                       .first_token = batch->first_token,
                       .mask = batch->mask,
                       .sequence = batch->sequence,
                       .seed = batch->seed,
                       .step = batch->step,
                       .training = backward,
                       .scratch = model->scratch,
                       .plans = model->plans,
                       .messages = {model->messages[0], model->messages[1]},
                       .mesh = model->mesh,
                       .phases = rf_mesh_phases(model->mesh)},
              .stack = {.blocks = &model->blocks, .store = model->store},
              .reversible = model->config.model.residual == RF_RESIDUAL_REVERSIBLE,
              .stream = (size_t)(batch->sequences * batch->tokens * model->config.model.d_model)};
  RF_TRY(rf_arena_take(model->scratch, p->stream, sizeof(real), &p->x1));
  if (p->reversible) RF_TRY(rf_arena_take(model->scratch, p->stream, sizeof(real), &p->x2));
  return rf_stash_take(&model->blocks, model->stash, &p->call, backward, &p->stash);
}

static rf_status forward_pass(pass *p) {
  const real *params;
  RF_TRY(rf_store_lend(p->model->store, RF_BLOCK_EMBEDDING, &params));
  const rf_phase before = rf_phase_enter(p->call.phases, RF_PHASE_EMBEDDING);
  rf_embedding_apply(&p->model->config, &p->call, params, p->batch->ids, p->x1);
  rf_phase_leave(p->call.phases, before);
  rf_store_return(p->model->store, RF_BLOCK_EMBEDDING);
  if (!p->reversible) return rf_ordinary_forward(&p->stack, &p->call, &p->stash, p->x1);
  memcpy(p->x2, p->x1, p->stream * sizeof(real));
  return rf_reversible_forward(&p->stack, &p->call, &p->stash, p->x1, p->x2);
}

/* Lends what the head reads: its own block, which is on its way already, and then, so as not to take its place, the
 * token embedding where tied. */
static rf_status lend_head(const pass *p, rf_head_input *input) {
  *input = (rf_head_input){.y1 = p->x1, .y2 = p->x2};
  RF_TRY(rf_store_lend(p->model->store, rf_head_block(&p->model->blocks), &input->params));
  if (!p->model->config.model.tied_embedding) return RF_OK;
  return rf_store_lend(p->model->store, RF_BLOCK_EMBEDDING, &input->tied);
}

static void return_head(const pass *p) {
  if (p->model->config.model.tied_embedding) rf_store_return(p->model->store, RF_BLOCK_EMBEDDING);
  rf_store_return(p->model->store, rf_head_block(&p->model->blocks));
}

static rf_status gradients_of_head(const pass *p, double scale, real *dx1, real *dx2, rf_loss *loss) {
  rf_store *store = p->model->store;
  const int head = rf_head_block(&p->model->blocks);
  const bool tied = p->model->config.model.tied_embedding;
  rf_head_input input;
  rf_head_gradient gradient = {.dy1 = dx1, .dy2 = dx2};
  RF_TRY(lend_head(p, &input));
  RF_TRY(rf_store_borrow_gradient(store, head, &gradient.params));
  if (tied) RF_TRY(rf_store_borrow_gradient(store, RF_BLOCK_EMBEDDING, &gradient.tied));
  RF_TRY_IN(p->call.phases, RF_PHASE_HEAD,
            rf_head_loss(&p->model->config, &p->call, &input, p->batch->labels, scale, loss, &gradient));
  if (tied) RF_TRY(rf_store_hand_back(store, RF_BLOCK_EMBEDDING));
  RF_TRY(rf_store_hand_back(store, head));
  return_head(p);
  return RF_OK;
}

/* Both streams start as the embedding, so their gradients add up in it. */
static rf_status embedding_gradients(const pass *p, real *dx1, const real *dx2) {
  real *gradient;
  if (dx2) {
#pragma omp parallel for simd schedule(static)
    for (size_t i = 0; i < p->stream; i++) dx1[i] += dx2[i];
  }
  RF_TRY(rf_store_borrow_gradient(p->model->store, RF_BLOCK_EMBEDDING, &gradient));
  const rf_phase before = rf_phase_enter(p->call.phases, RF_PHASE_EMBEDDING);
  rf_embedding_vjp(&p->model->config, &p->call, p->batch->ids, dx1, gradient);
  rf_phase_leave(p->call.phases, before);
  RF_TRY(rf_store_hand_back(p->model->store, RF_BLOCK_EMBEDDING));
  return rf_store_finish_gradients(p->model->store);
}

static rf_status gradients(rf_model *model, const rf_batch *batch, double scale, rf_loss *loss) {
  pass p;
  real *dx1, *dx2 = NULL;
  RF_TRY(begin_pass(model, batch, true, &p));
  RF_TRY(rf_arena_take(model->scratch, p.stream, sizeof(real), &dx1));
  if (p.reversible) RF_TRY(rf_arena_take(model->scratch, p.stream, sizeof(real), &dx2));
  RF_TRY(forward_pass(&p));
  RF_TRY(gradients_of_head(&p, scale, dx1, dx2, loss));
  if (p.reversible)
    RF_TRY(rf_reversible_backward(&p.stack, &p.call, &p.stash, p.x1, p.x2, dx1, dx2));
  else
    RF_TRY(rf_ordinary_backward(&p.stack, &p.call, &p.stash, dx1));
  return embedding_gradients(&p, dx1, dx2);
}

/* Up to the head, which is lent then. */
static rf_status pass_to_head(rf_model *model, const rf_batch *batch, pass *p, rf_head_input *input) {
  RF_TRY(begin_pass(model, batch, false, p));
  RF_TRY(forward_pass(p));
  return lend_head(p, input);
}

static rf_status evaluate_batch(rf_model *model, const rf_batch *batch, rf_loss *loss) {
  pass p;
  rf_head_input input;
  RF_TRY(pass_to_head(model, batch, &p, &input));
  RF_TRY_IN(p.call.phases, RF_PHASE_HEAD, rf_head_loss(&model->config, &p.call, &input, batch->labels, 0, loss, NULL));
  return_head(&p);
  return RF_OK;
}

static rf_status logits_of(rf_model *model, const rf_batch *batch, int64_t first, int64_t n, real *logits) {
  pass p;
  rf_head_input input;
  RF_TRY(pass_to_head(model, batch, &p, &input));
  RF_TRY(rf_head_logits(&model->config, &p.call, &input, first, n, logits));
  return_head(&p);
  return RF_OK;
}

static rf_status score(rf_model *model, const rf_batch *batch, double *token_loss, rf_logits_take take, void *context,
                       rf_loss *loss) {
  pass p;
  rf_head_input input;
  RF_TRY(pass_to_head(model, batch, &p, &input));
  RF_TRY(rf_head_score(&model->config, &p.call, &input, batch->labels, token_loss, take, context, loss));
  return_head(&p);
  return RF_OK;
}

/* Where a model's arenas stand. Whatever a pass took of them is given back, failed or not, and what it borrowed of the
 * store when it failed; but for a pass that failed among operations under way, into whose memory messages may still
 * arrive, and after which there is no other. */
typedef struct marks {
  rf_mark scratch, plans, messages[2];
} marks;

static marks mark_arenas(const rf_model *model) {
  assert(rf_model_is_valid(model));
  return (marks){.scratch = rf_arena_mark(model->scratch),
                 .plans = rf_arena_mark(model->plans),
                 .messages = {rf_arena_mark(model->messages[0]), rf_arena_mark(model->messages[1])}};
}

static rf_status release_arenas(rf_model *model, marks before, rf_status status) {
  if (status != RF_OK && rf_mesh_is_flying(model->mesh)) return status;
  if (status != RF_OK) rf_store_recall(model->store);
  rf_arena_release(model->scratch, before.scratch);
  rf_arena_release(model->plans, before.plans);
  for (int i = 0; i < 2; i++) rf_arena_release(model->messages[i], before.messages[i]);
  return status;
}

rf_status rf_model_gradients(rf_model *model, const rf_batch *batch, double scale, rf_loss *loss) {
  const marks before = mark_arenas(model);
  return release_arenas(model, before, gradients(model, batch, scale, loss));
}

rf_status rf_model_evaluate(rf_model *model, const rf_batch *batch, rf_loss *loss) {
  const marks before = mark_arenas(model);
  return release_arenas(model, before, evaluate_batch(model, batch, loss));
}

rf_status rf_model_logits(rf_model *model, const rf_batch *batch, int64_t first, int64_t n, real *logits) {
  const marks before = mark_arenas(model);
  return release_arenas(model, before, logits_of(model, batch, first, n, logits));
}

rf_status rf_model_score(rf_model *model, const rf_batch *batch, double *token_loss, rf_logits_take take, void *context,
                         rf_loss *loss) {
  const marks before = mark_arenas(model);
  return release_arenas(model, before, score(model, batch, token_loss, take, context, loss));
}
