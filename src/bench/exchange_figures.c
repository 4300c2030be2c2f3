#include "bench/exchange_figures.h"
#include "base/clock.h"
#include "base/integers.h"
#include "base/median.h"
#include "bench/attention_figures.h"
#include "comm/collective.h"
#include "lsh/hash.h"
#include "reformer/agree.h"
#include <math.h>
#include <string.h>

typedef struct exchange_bench {
  const rf_config *config;
  const rf_bench_options *options;
  rf_mesh *mesh;
  rf_arena *arena, *plans;
  rf_hash_shape hash;
  rf_exchange_shape shape;
  rf_span home;
  void *buckets; /* [pairs, rounds, tokens] */
  rf_exchange_tokens tokens;
} exchange_bench;

static rf_status draw_buckets(exchange_bench *b) {
  const int bytes = rf_bucket_bytes(b->hash.buckets);
  const int64_t pairs = b->shape.pairs, items = b->hash.rounds * b->home.count;
  const void **pointers;
  RF_TRY(rf_arena_take(b->arena, (size_t)(pairs * items), (size_t)bytes, &b->buckets));
  RF_TRY(rf_arena_take(b->arena, (size_t)pairs, sizeof *pointers, &pointers));
  const rf_buckets all = {.data = b->buckets, .bytes = bytes};
  for (int64_t p = 0; p < pairs; p++) {
    rf_draw draw = {.seed = b->config->training.seed, .purpose = RF_RNG_SAMPLE, .head = (uint32_t)p};
    pointers[p] = (const char *)b->buckets + p * items * bytes;
    for (int64_t r = 0; r < b->hash.rounds; r++) {
      draw.round = (uint32_t)r;
      for (int64_t t = 0; t < b->home.count; t++) {
        const double u = rf_draw_uniform(&draw, (uint64_t)(b->home.first + t));
        const int64_t bucket = (int64_t)((double)b->hash.buckets * pow(u, 1 + b->options->skew));
        rf_bucket_set(&all, p * items + r * b->home.count + t, (int32_t)rf_min(bucket, b->hash.buckets - 1));
      }
    }
  }
  b->tokens = (rf_exchange_tokens){.bucket_bytes = bytes, .buckets = pointers};
  return RF_OK;
}

static rf_status set_up_exchange(exchange_bench *b) {
  const rf_lsh_config *lsh = &b->config->lsh;
  b->hash = rf_hash_shape_of(lsh, b->config->model.d_head);
  b->shape = (rf_exchange_shape){.pairs = b->config->model.n_heads,
                                 .rounds = lsh->n_hashes,
                                 .tokens = rf_padded_length(b->config, b->config->data.length),
                                 .chunk = lsh->chunk,
                                 .chunks_before = lsh->chunks_before,
                                 .chunks_after = lsh->chunks_after,
                                 .n_buckets = b->hash.buckets + 1,
                                 .wire = b->config->mesh.wire,
                                 .together = b->config->model.n_heads,
                                 .parts = 1};
  if (b->shape.tokens % lsh->chunk != 0)
    return rf_fail(RF_BAD_CONFIG, "bench exchange: model.attention has no lsh layer; add one");
  RF_TRY(rf_arena_create("bench", 0, &b->arena));
  RF_TRY(rf_arena_create("bench plans", 0, &b->plans));
  b->home = rf_exchange_home(b->mesh, &b->shape);
  return draw_buckets(b);
}

static rf_status time_plans(exchange_bench *b, double *seconds, rf_exchange_figures *f) {
  for (int64_t i = 0; i < b->options->repeats; i++) {
    const rf_mark mark = rf_arena_mark(b->plans);
    const double start = rf_clock_seconds();
    rf_exchange *exchange;
    RF_TRY(rf_exchange_create(b->mesh, &b->shape, &b->tokens, b->plans, b->arena, &exchange));
    seconds[i] = rf_clock_seconds() - start;
    rf_arena_release(b->plans, mark);
  }
  f->plan = rf_median(b->options->repeats, seconds);
  return RF_OK;
}

/* An array of a pair on both sides; home [pairs, tokens, width], rows behind each other. */
static rf_status take_field(exchange_bench *b, const rf_exchange *exchange, int64_t width, rf_exchange_field *field) {
  real **tokens, **rows, *home, *owner;
  const int64_t pairs = b->shape.pairs;
  RF_TRY(rf_arena_take(b->arena, (size_t)pairs, sizeof *tokens, &tokens));
  RF_TRY(rf_arena_take(b->arena, (size_t)pairs, sizeof *rows, &rows));
  RF_TRY(rf_arena_take_zero(b->arena, (size_t)(pairs * b->home.count * width), sizeof(real), &home));
  RF_TRY(rf_arena_take_zero(b->arena, (size_t)(rf_exchange_rows(exchange) * width), sizeof(real), &owner));
  for (int64_t p = 0; p < pairs; p++) {
    tokens[p] = home + p * b->home.count * width;
    rows[p] = owner;
    owner += rf_exchange_pair_of(exchange, p)->n_rows * width;
  }
  *field = (rf_exchange_field){.width = width, .tokens = tokens, .tokens_ld = width, .rows = rows, .rows_ld = width};
  return RF_OK;
}

static rf_status move_rows(exchange_bench *b, const rf_exchange *exchange, rf_exchange_field *q, rf_exchange_field *v,
                           double *scatter, double *gather) {
  const rf_mark mark = rf_arena_mark(b->arena);
  const rf_exchange_field out[] = {*q, *v};
  rf_exchange_move *move;
  const double start = rf_clock_seconds();
  RF_TRY(rf_exchange_start(exchange, RF_SCATTER, RF_ROWS_ALL, 2, out, b->arena, &move));
  RF_TRY(rf_exchange_finish(move));
  const double middle = rf_clock_seconds();
  RF_TRY(rf_exchange_start(exchange, RF_GATHER_SUM, RF_ROWS_OWN, 1, v, b->arena, &move));
  RF_TRY(rf_exchange_finish(move));
  *scatter = middle - start;
  *gather = rf_clock_seconds() - middle;
  rf_arena_release(b->arena, mark);
  return RF_OK;
}

static rf_status time_moves(exchange_bench *b, double *seconds, rf_exchange_figures *f) {
  const int64_t n = b->options->repeats, dh = b->config->model.d_head;
  double *gathers = seconds + n;
  const rf_mark mark = rf_arena_mark(b->arena), plan = rf_arena_mark(b->plans);
  rf_exchange *exchange;
  rf_exchange_field q, v;
  RF_TRY(rf_exchange_create(b->mesh, &b->shape, &b->tokens, b->plans, b->arena, &exchange));
  RF_TRY(take_field(b, exchange, dh, &q));
  RF_TRY(take_field(b, exchange, dh, &v));
  for (int64_t i = 0; i < n; i++) RF_TRY(move_rows(b, exchange, &q, &v, &seconds[i], &gathers[i]));
  f->scatter = rf_median(n, seconds);
  f->gather = rf_median(n, gathers);
  const rf_exchange_counts counts = rf_exchange_count(exchange);
  int64_t sums[] = {counts.own_sent + counts.halo_sent, counts.own_sent};
  double most = (double)(sums[0] * 2 * rf_wire_bytes(b->shape.wire, dh));
  RF_TRY(rf_max_doubles(b->mesh, RF_SCOPE_WORLD, RF_TRAFFIC_OTHER, 1, &most));
  RF_TRY(rf_sum_integers(b->mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, 2, sums));
  f->rows = sums[0];
  f->rows_a_token = (double)sums[1] / (double)(b->shape.pairs * b->shape.tokens);
  f->most_bytes = (int64_t)most;
  rf_arena_release(b->plans, plan);
  rf_arena_release(b->arena, mark);
  return RF_OK;
}

/* The sublayer around it. */
static rf_status time_layer(exchange_bench *b, rf_exchange_figures *f) {
  int64_t length = b->shape.tokens;
  rf_config one = rf_config_of_attention(b->config, RF_ATTENTION_LSH, b->shape.rounds, &length);
  one.lsh.n_factors = b->config->lsh.n_factors; /* those that the plan is made for */
  memcpy(one.lsh.n_buckets, b->config->lsh.n_buckets, sizeof one.lsh.n_buckets);
  rf_attention_figures layer;
  RF_TRY(rf_attention_figures_measure(&one, b->mesh, length, b->options->repeats, &layer));
  f->forward = layer.forward;
  f->reverse = layer.reverse;
  f->waited = rf_spent_sum(layer.spent.waited) / rf_spent_sum(layer.spent.seconds);
  f->spent = layer.spent;
  return RF_OK;
}

static rf_status time_exchanges(exchange_bench *b, rf_exchange_figures *f) {
  double *seconds;
  RF_TRY(set_up_exchange(b));
  RF_TRY(rf_arena_take(b->arena, (size_t)(2 * b->options->repeats), sizeof *seconds, &seconds));
  RF_TRY(time_plans(b, seconds, f));
  RF_TRY(time_moves(b, seconds, f));
  return time_layer(b, f);
}

rf_status rf_exchange_figures_measure(const rf_config *config, rf_mesh *mesh, const rf_bench_options *options,
                                      rf_exchange_figures *f) {
  exchange_bench b = {.config = config, .options = options, .mesh = mesh};
  const rf_status status = rf_agree(mesh, time_exchanges(&b, f));
  if (status != RF_OK && rf_mesh_size(mesh) > 1) return status; /* messages may be under way into these arenas */
  f->shape = b.shape;
  f->buckets = b.hash.buckets;
  rf_arena_destroy(b.arena);
  rf_arena_destroy(b.plans);
  return status;
}
