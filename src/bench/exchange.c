#include "bench/exchange.h"
#include "base/clock.h"
#include "base/median.h"
#include "comm/collective.h"
#include "comm/exchange.h"
#include "kernel/parallel.h"
#include "lsh/hash.h"
#include "reformer/agree.h"
#include "bench/attention_figures.h"
#include "storage/json_file.h"
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef struct bench {
  const rf_config *config;
  const rf_bench_exchange_options *options;
  rf_mesh *mesh;
  rf_arena *arena, *plans;
  rf_hash_shape hash;
  rf_exchange_shape shape;
  rf_span home;
  void *buckets; /* [pairs, rounds, tokens] */
  rf_exchange_tokens tokens;
} bench;

typedef struct figures {
  double plan, scatter, gather;       /* median seconds */
  double forward, reverse;            /* of a sublayer, seconds */
  double waited;                      /* share of forward and reverse that stood waiting, mean over ranks */
  int64_t rows;                       /* that travelled in a scatter, of all ranks */
  int64_t most_bytes;                 /* of a scatter, at the rank that sent most */
  double rows_a_token;                /* remote owners of a token and head, mean */
  int64_t bytes[RF_TRAFFIC_PURPOSES]; /* of plan, forward and reverse, all ranks */
} figures;

static rf_status draw_buckets(bench *b) {
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

static rf_status set_up(bench *b) {
  const rf_lsh_config *lsh = &b->config->lsh;
  b->hash = rf_hash_shape_of(lsh, b->config->model.d_head);
  b->shape = (rf_exchange_shape){.pairs = b->config->model.n_heads,
                                 .rounds = lsh->n_hashes,
                                 .tokens = rf_padded_length(b->config, b->config->data.length),
                                 .chunk = lsh->chunk,
                                 .chunks_before = lsh->chunks_before,
                                 .chunks_after = lsh->chunks_after,
                                 .n_buckets = b->hash.buckets + 1,
                                 .wire = b->config->mesh.wire};
  if (b->shape.tokens % lsh->chunk != 0)
    return rf_fail(RF_BAD_CONFIG, "bench exchange: model.attention has no lsh layer; add one");
  RF_TRY(rf_arena_create("bench", 0, &b->arena));
  RF_TRY(rf_arena_create("bench plans", 0, &b->plans));
  b->home = rf_exchange_home(b->mesh, &b->shape);
  return draw_buckets(b);
}

static rf_status time_plans(bench *b, double *seconds, figures *f) {
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
static rf_status take_field(bench *b, const rf_exchange *exchange, int64_t width, rf_exchange_field *field) {
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

static rf_status move_rows(bench *b, const rf_exchange *exchange, rf_exchange_field *q, rf_exchange_field *v,
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

static rf_status time_moves(bench *b, double *seconds, figures *f) {
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
static rf_status time_layer(bench *b, figures *f) {
  int64_t length = b->shape.tokens;
  rf_config one = rf_attention_alone(b->config, RF_ATTENTION_LSH, b->shape.rounds, &length);
  one.lsh.n_factors = b->config->lsh.n_factors; /* those that the plan is made for */
  memcpy(one.lsh.n_buckets, b->config->lsh.n_buckets, sizeof one.lsh.n_buckets);
  rf_attention_figures layer;
  RF_TRY(rf_attention_figures_measure(&one, b->mesh, length, b->options->repeats, &layer));
  double waited = 0, all = 0;
  for (int p = 0; p < RF_PHASES; p++) {
    waited += layer.waited[p];
    all += layer.seconds[p];
  }
  f->forward = layer.forward;
  f->reverse = layer.reverse;
  f->waited = waited / all;
  memcpy(f->bytes, layer.bytes, sizeof f->bytes);
  return RF_OK;
}

static rf_status measure(bench *b, figures *f) {
  double *seconds;
  RF_TRY(set_up(b));
  RF_TRY(rf_arena_take(b->arena, (size_t)(2 * b->options->repeats), sizeof *seconds, &seconds));
  RF_TRY(time_plans(b, seconds, f));
  RF_TRY(time_moves(b, seconds, f));
  return time_layer(b, f);
}

static double gigabytes_a_second(const figures *f) { return (double)f->most_bytes / f->scatter * 1e-9; }

static void print(const bench *b, const figures *f) {
  const int ranks = rf_mesh_sequence_size(b->mesh);
  printf("%-34s %" PRId64 " tokens, %" PRId64 " heads of %" PRId64 ", %" PRId64 " rounds, %" PRId64
         " buckets, skew %g\n",
         "exchange", b->shape.tokens, b->shape.pairs, b->config->model.d_head, b->shape.rounds, b->hash.buckets,
         b->options->skew);
  printf("%-34s %12d  (%d threads each)\n", "sequence ranks", ranks, rf_threads());
  printf("%-34s %12.3f\n", "remote owners a token and head", f->rows_a_token);
  printf("%-34s %12" PRId64 "\n", "bound: min(rounds, ranks - 1)", rf_min(b->shape.rounds, ranks - 1));
  printf("%-34s %12.3f\n", "plan, ms", f->plan * 1e3);
  printf("%-34s %12.3f\n", "scatter of q and v, ms", f->scatter * 1e3);
  printf("%-34s %12.3f\n", "gather of o, ms", f->gather * 1e3);
  printf("%-34s %12.0f\n", "rows/s, scatter, all ranks", (double)f->rows / f->scatter);
  printf("%-34s %12.3f\n", "GB/s sent, scatter, one rank", gigabytes_a_second(f));
  printf("%-34s %12.3f\n", "sublayer forward, ms", f->forward * 1e3);
  printf("%-34s %12.3f\n", "sublayer reverse, ms", f->reverse * 1e3);
  printf("%-34s %11.1f%%\n", "of these not hidden", 100 * f->waited);
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++)
    if (f->bytes[i] > 0)
      printf("MiB forward and reverse, %-9s %12.3f\n", rf_traffic_name((rf_traffic)i), (double)f->bytes[i] / 1048576);
}

static rf_status write_json(const bench *b, const figures *f) {
  json_t *bytes = json_object();
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++)
    json_object_set_new(bytes, rf_traffic_name((rf_traffic)i), json_integer(f->bytes[i]));
  json_t *object =
      json_pack("{s:I, s:I, s:I, s:f, s:i, s:f, s:f, s:f, s:f, s:I, s:f, s:f, s:f, s:f, s:o}", "tokens",
                (json_int_t)b->shape.tokens, "heads", (json_int_t)b->shape.pairs, "rounds", (json_int_t)b->shape.rounds,
                "skew", b->options->skew, "sequence_ranks", rf_mesh_sequence_size(b->mesh), "remote_owners",
                f->rows_a_token, "plan_seconds", f->plan, "scatter_seconds", f->scatter, "gather_seconds", f->gather,
                "rows", (json_int_t)f->rows, "gigabytes_per_second", gigabytes_a_second(f), "forward_seconds",
                f->forward, "reverse_seconds", f->reverse, "share_not_hidden", f->waited, "bytes", bytes);
  return rf_json_file_write(object, b->options->json_path);
}

static rf_status run(bench *b) {
  figures f = {0};
  RF_TRY(rf_agree(b->mesh, rf_mesh_rank(b->mesh) == 0 ? rf_json_file_check(b->options->json_path) : RF_OK));
  RF_TRY(measure(b, &f));
  if (rf_mesh_rank(b->mesh) != 0) return RF_OK;
  print(b, &f);
  return write_json(b, &f);
}

rf_status rf_bench_exchange(const rf_config *config, rf_mesh *mesh, const rf_bench_exchange_options *options) {
  bench b = {.config = config, .options = options, .mesh = mesh};
  RF_TRY(rf_mesh_arrange(mesh, config->mesh.sequence, config->mesh.data));
  const rf_status status = rf_agree(b.mesh, run(&b));
  if (status != RF_OK && rf_mesh_size(b.mesh) > 1) return status; /* messages may be under way into these arenas */
  rf_arena_destroy(b.arena);
  rf_arena_destroy(b.plans);
  return status;
}
