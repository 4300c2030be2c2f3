#include "bench/attention_figures.h"
#include "base/clock.h"
#include "base/median.h"
#include "comm/collective.h"
#include "nn/sublayer.h"
#include <stdlib.h>

typedef struct layer_bench {
  rf_config config;
  rf_mesh *mesh;
  rf_arena *kept, *scratch, *plans, *messages[2];
  rf_sublayer sublayer;
  rf_call call;
  rf_block block;
  real *params, *gradient, *x, *y, *dy, *dx;
  void *saved;
} layer_bench;

rf_config rf_config_of_attention(const rf_config *config, rf_attention_kind kind, int64_t rounds, int64_t *length) {
  rf_config own = *config;
  own.model.n_attention = 1;
  own.model.attention[0] = kind;
  own.model.n_layers = 1;
  own.lsh.rotations = own.lsh.rotations == RF_ROTATIONS_SHARED ? RF_ROTATIONS_SHARED : RF_ROTATIONS_PER_HEAD;
  *length = rf_padded_length(&own, *length);
  if (kind != RF_ATTENTION_LSH) return own;
  own.lsh.n_hashes = rounds;
  own.lsh.n_factors = 0;
  rf_resolve_buckets(&own.lsh, *length);
  return own;
}

static rf_status create_layer_arenas(layer_bench *b) {
  RF_TRY(rf_arena_create("bench", 0, &b->kept));
  RF_TRY(rf_arena_create("bench scratch", 0, &b->scratch));
  RF_TRY(rf_arena_create("bench plans", 0, &b->plans));
  for (int i = 0; i < 2; i++) RF_TRY(rf_arena_create("bench messages", 0, &b->messages[i]));
  return RF_OK;
}

static void destroy_layer(layer_bench *b) {
  for (int i = 0; i < 2; i++) rf_arena_destroy(b->messages[i]);
  rf_arena_destroy(b->plans);
  rf_arena_destroy(b->scratch);
  rf_arena_destroy(b->kept);
  free(b->block.tensors);
}

static rf_status take_random(const layer_bench *b, uint32_t purpose, int64_t n, double deviation, real **values) {
  const rf_draw draw = {.seed = 1, .purpose = RF_RNG_INIT, .layer = purpose, .head = (uint32_t)rf_mesh_rank(b->mesh)};
  RF_TRY(rf_arena_take(b->kept, (size_t)n, sizeof(real), values));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; i++) (*values)[i] = (real)(deviation * rf_draw_normal(&draw, (uint64_t)i));
  return RF_OK;
}

static rf_status set_up_layer(layer_bench *b, int64_t length) {
  static const uint32_t first_sequence[] = {0};
  const rf_sublayer_ops *const ops[] = {&rf_lsh_attention_ops, &rf_local_attention_ops, &rf_full_attention_ops};
  const rf_span home = rf_span_of(length, rf_mesh_sequence_size(b->mesh), rf_mesh_sequence_rank(b->mesh));
  RF_TRY(create_layer_arenas(b));
  b->sublayer = (rf_sublayer){.ops = ops[b->config.model.attention[0]], .config = &b->config};
  b->call = (rf_call){.sequences = 1,
                      .tokens = home.count,
                      .length = length,
                      .first_token = home.first,
                      .sequence = first_sequence,
                      .seed = b->config.training.seed,
                      .scratch = b->scratch,
                      .plans = b->plans,
                      .messages = {b->messages[0], b->messages[1]},
                      .mesh = b->mesh,
                      .phases = rf_mesh_phases(b->mesh)};
  RF_TRY(b->sublayer.ops->describe(&b->sublayer, "layer", &b->block));
  const int64_t values = home.count * b->config.model.d_model;
  RF_TRY(take_random(b, 1, b->block.size, b->config.model.init_std, &b->params));
  RF_TRY(take_random(b, 2, values, 1, &b->x));
  RF_TRY(take_random(b, 3, values, 1, &b->dy));
  RF_TRY(rf_arena_take_zero(b->kept, (size_t)b->block.size, sizeof(real), &b->gradient));
  RF_TRY(rf_arena_take_zero(b->kept, (size_t)values, sizeof(real), &b->y));
  RF_TRY(rf_arena_take_zero(b->kept, (size_t)values, sizeof(real), &b->dx));
  return rf_arena_take(b->kept, b->sublayer.ops->saved_bytes(&b->sublayer, &b->call), 1, &b->saved);
}

static rf_status run_layer(layer_bench *b, double *forward, double *reverse) {
  const rf_sublayer_ops *ops = b->sublayer.ops;
  const double start = rf_clock_seconds();
  RF_TRY(ops->apply(&b->sublayer, &b->call, b->params, b->x, 1, b->y, b->saved));
  const double middle = rf_clock_seconds();
  const rf_sublayer_vjp task = {
      .params = b->params, .x = b->x, .dy = b->dy, .y = b->y, .dx = b->dx, .dparams = b->gradient, .saved = b->saved};
  RF_TRY(ops->apply_vjp(&b->sublayer, &b->call, &task));
  *forward = middle - start;
  *reverse = rf_clock_seconds() - middle;
  return RF_OK;
}

static rf_status reduce_layer(const layer_bench *b, int64_t repeats, rf_attention_figures *f) {
  double most[] = {f->forward, f->reverse,
                   (double)(rf_arena_memory_used(b->scratch) + rf_arena_memory_used(b->plans) +
                            rf_arena_memory_used(b->messages[0]) + rf_arena_memory_used(b->messages[1]))};
  RF_TRY(rf_spent_read(b->mesh, repeats, &f->spent));
  RF_TRY(rf_max_doubles(b->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 3, most));
  f->forward = most[0];
  f->reverse = most[1];
  f->scratch = most[2];
  return RF_OK;
}

static rf_status measure_layer(layer_bench *b, int64_t repeats, rf_attention_figures *f) {
  double *forward, *reverse, first;
  RF_TRY(set_up_layer(b, f->length));
  RF_TRY(rf_arena_take(b->kept, (size_t)repeats, sizeof *forward, &forward));
  RF_TRY(rf_arena_take(b->kept, (size_t)repeats, sizeof *reverse, &reverse));
  RF_TRY(run_layer(b, &first, &first));
  rf_spent_start(b->mesh);
  for (int64_t i = 0; i < repeats; i++) RF_TRY(run_layer(b, &forward[i], &reverse[i]));
  f->forward = rf_median(repeats, forward);
  f->reverse = rf_median(repeats, reverse);
  return reduce_layer(b, repeats, f);
}

rf_status rf_attention_figures_measure(const rf_config *config, rf_mesh *mesh, int64_t length, int64_t repeats,
                                       rf_attention_figures *f) {
  layer_bench b = {.config = *config, .mesh = mesh};
  const rf_model_config *m = &config->model;
  const rf_operations layer = rf_operations_of_layer(config, 0, length);
  const double feed_forward = 2 * 2 * (double)m->d_model * (double)m->d_ff;
  *f = (rf_attention_figures){.kind = m->attention[0],
                              .rounds = m->attention[0] == RF_ATTENTION_LSH ? config->lsh.n_hashes : 0,
                              .length = length,
                              .operations = 4 * (double)length * (layer.dense - feed_forward + layer.attention)};
  const rf_status status = measure_layer(&b, repeats, f);
  /* after a failure on several ranks, messages may be under way into these arenas */
  if (status == RF_OK || rf_mesh_size(mesh) == 1) destroy_layer(&b);
  return status;
}
