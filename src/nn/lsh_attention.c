/* LSH attention (paper, section 2): queries that are their own keys, hashed into buckets in several rounds, sorted, and
 * attended in windows of neighbouring chunks of slots. A sequence that fits one chunk is attended whole, unhashed. */
#include "kernel/parallel.h"
#include "lsh/hash.h"
#include "lsh/slots.h"
#include "nn/attention.h"

static bool shared_qk(const rf_sublayer *self) {
  (void)self;
  return true;
}

static bool hashes(const rf_sublayer *self, int64_t tokens) { return tokens > self->config->lsh.chunk; }

/* `saved` is [sequences, heads, rounds, tokens] bucket ids. */
static rf_buckets buckets_in(const rf_hash_shape *shape, void *saved) {
  return (rf_buckets){.data = saved, .bytes = rf_bucket_bytes(shape->buckets)};
}

static int64_t first_bucket(const rf_wave *w, const rf_hash_shape *shape, int64_t pair) {
  const int64_t sequence = w->first_sequence + pair / w->n_heads, head = w->first_head + pair % w->n_heads;
  return (sequence * w->self->config->model.n_heads + head) * shape->rounds * w->call->tokens;
}

static const real *given_or_drawn(const rf_wave *w, const rf_hash_shape *shape, int64_t head, real *drawn) {
  const int64_t size = shape->d_head * shape->rounds * shape->columns;
  if (w->self->rotations) return w->self->rotations + (w->first_head + head) * size;
  return drawn + (w->self->config->lsh.rotations == RF_ROTATIONS_SHARED ? 0 : head * size);
}

static rf_status draw_rotations(const rf_wave *w, const rf_hash_shape *shape, real **rotations) {
  const bool shared = w->self->config->lsh.rotations == RF_ROTATIONS_SHARED;
  const int64_t size = shape->d_head * shape->rounds * shape->columns, heads = shared ? 1 : w->n_heads;
  *rotations = NULL;
  if (w->self->rotations) return RF_OK;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(heads * size), sizeof(real), rotations));
  rf_draw draw = rf_call_draw(w->call, w->self, RF_RNG_ROTATION);
  for (int64_t h = 0; h < heads; h++) {
    draw.head = shared ? 0 : (uint32_t)(w->first_head + h);
    rf_rotations_draw(shape, &draw, *rotations + h * size);
  }
  return RF_OK;
}

static rf_status hash_wave(const rf_wave *w, const rf_hash_shape *shape, const rf_pair *pairs, void *saved) {
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  const int64_t tokens = w->call->tokens, tiles = rf_ceil_div(tokens, RF_TILE), width = shape->rounds * shape->columns;
  const rf_buckets buckets = buckets_in(shape, saved);
  real *rotations, *rotated;
  RF_TRY(draw_rotations(w, shape, &rotations));
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_threads() * RF_TILE * width), sizeof(real), &rotated));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rf_wave_pairs(w) * tiles; i++) {
    const int64_t p = i / tiles, token = i % tiles * RF_TILE;
    rf_hash_rows(shape, rf_min(RF_TILE, tokens - token), pairs[p].q + token * w->width, w->width,
                 given_or_drawn(w, shape, p % w->n_heads, rotations), pairs[p].mask ? pairs[p].mask + token : NULL,
                 rotated + rf_thread() * RF_TILE * width, &buckets, first_bucket(w, shape, p) + token, tokens);
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}

/* A token's chunk of slots and its bucket in each round, for counting duplicates. Chunks count over all rounds, and so
 * do buckets. */
static void place_in_rounds(const rf_windows *windows, const rf_pair *pair, int32_t *chunk, int32_t *bucket) {
  for (int64_t slot = 0; slot < windows->rounds * windows->tokens; slot++) {
    const int64_t round = slot / windows->tokens, entry = round * windows->tokens + pair->token_of_slot[slot];
    chunk[entry] = (int32_t)(slot / windows->chunk);
    bucket[entry] = (int32_t)(round * windows->n_buckets) + rf_bucket_get(&pair->buckets, pair->first_bucket + entry);
  }
}

static rf_status sort_pairs(const rf_wave *w, const rf_windows *windows) {
  const int64_t items = windows->rounds * windows->tokens, pairs = windows->n_pairs;
  const bool places = windows->rule.duplicates != RF_DUPLICATES_KEEP;
  int32_t *slots, *chunks = NULL, *buckets = NULL;
  int64_t *counts;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(pairs * items), sizeof *slots, &slots));
  if (places) {
    RF_TRY(rf_arena_take(w->call->scratch, (size_t)(pairs * items), sizeof *chunks, &chunks));
    RF_TRY(rf_arena_take(w->call->scratch, (size_t)(pairs * items), sizeof *buckets, &buckets));
  }
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_threads() * (windows->n_buckets + 1)), sizeof *counts, &counts));
#pragma omp parallel for schedule(dynamic)
  for (int64_t p = 0; p < pairs; p++) {
    rf_pair *pair = &windows->pairs[p];
    pair->token_of_slot = slots + p * items;
    for (int64_t r = 0; r < windows->rounds; r++)
      rf_slots_sort(&pair->buckets, pair->first_bucket + r * windows->tokens, windows->tokens, windows->n_buckets,
                    slots + p * items + r * windows->tokens, counts + rf_thread() * (windows->n_buckets + 1));
    if (!places) continue;
    place_in_rounds(windows, pair, chunks + p * items, buckets + p * items);
    pair->chunk_in_round = chunks + p * items;
    pair->bucket_in_round = buckets + p * items;
  }
  return RF_OK;
}

static rf_status prepare_duplicates(const rf_wave *w, rf_rule *rule) {
  const rf_lsh_config *lsh = &w->self->config->lsh;
  rule->duplicates = lsh->duplicates;
  if (lsh->duplicates == RF_DUPLICATES_KEEP) return RF_OK;
  const int64_t most = lsh->n_hashes * lsh->n_hashes * (lsh->chunks_before + 1 + lsh->chunks_after);
  real *log_count;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(most + 1), sizeof *log_count, &log_count));
  rf_log_counts(lsh->duplicates, most, log_count);
  rule->log_count = log_count;
  return RF_OK;
}

static rf_status prepare(rf_wave *w, void *saved, bool recompute) {
  const rf_lsh_config *lsh = &w->self->config->lsh;
  rf_windows *windows = &w->windows;
  RF_TRY(rf_wave_prepare_windows(w));
  windows->mask_padding_queries = lsh->mask_padding_queries;
  if (!hashes(w->self, w->call->tokens)) return RF_OK;

  const rf_hash_shape shape = rf_hash_shape_of(lsh, w->self->config->model.d_head);
  windows->rounds = shape.rounds;
  windows->chunk = lsh->chunk;
  windows->chunks_before = lsh->chunks_before;
  windows->chunks_after = lsh->chunks_after;
  windows->n_buckets = shape.buckets + 1;
  windows->rule.same_bucket = !lsh->attend_across_buckets;
  RF_TRY(prepare_duplicates(w, &windows->rule));
  if (!recompute) RF_TRY(hash_wave(w, &shape, windows->pairs, saved));
  for (int64_t p = 0; p < windows->n_pairs; p++) {
    windows->pairs[p].buckets = buckets_in(&shape, saved);
    windows->pairs[p].first_bucket = first_bucket(w, &shape, p);
  }
  return sort_pairs(w, windows);
}

static size_t saved_bytes(const rf_sublayer *self, int64_t sequences, int64_t tokens) {
  if (!hashes(self, tokens)) return 0;
  const rf_hash_shape shape = rf_hash_shape_of(&self->config->lsh, self->config->model.d_head);
  return (size_t)(sequences * self->config->model.n_heads * shape.rounds * tokens) *
         (size_t)rf_bucket_bytes(shape.buckets);
}

static const rf_attention_ops lsh_ops = {shared_qk, saved_bytes, prepare, rf_windows_attend, rf_windows_attend_vjp};

const rf_sublayer_ops rf_lsh_attention_ops = {rf_attention_describe, rf_attention_saved_bytes, rf_attention_apply,
                                              rf_attention_apply_vjp, &lsh_ops};
