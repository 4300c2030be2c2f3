/* LSH attention (paper, section 2): queries that are their own keys, hashed into buckets in several rounds, sorted, and
 * attended in windows of neighbouring chunks of slots. A sequence that fits one chunk is attended whole, unhashed. */
#include "nn/attention.h"
#include "base/integers.h"
#include "kernel/parallel.h"
#include "lsh/hash.h"
#include "lsh/window_attention.h"
#include "nn/attention_rows.h"
#include "nn/attention_saved.h"

static bool hashes_length(const rf_sublayer *self, int64_t length) { return length > self->config->lsh.chunk; }

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

static rf_status hash_wave(const rf_wave *w, const rf_hash_shape *shape, void *saved) {
  const rf_mark mark = rf_arena_mark(w->call->scratch);
  const int64_t tokens = w->call->tokens, tiles = rf_ceil_div(tokens, RF_TILE), width = shape->rounds * shape->columns;
  const rf_buckets buckets = buckets_in(shape, saved);
  real *rotations, *rotated;
  RF_TRY(draw_rotations(w, shape, &rotations));
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(rf_threads() * RF_TILE * width), sizeof(real), &rotated));
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rf_wave_pairs(w) * tiles; i++) {
    const int64_t p = i / tiles, token = i % tiles * RF_TILE, sequence = p / w->n_heads, head = p % w->n_heads;
    const uint8_t *mask = w->call->mask ? w->call->mask + (w->first_sequence + sequence) * tokens + token : NULL;
    const rf_view q = {w->home.q + (sequence * tokens + token) * w->width + head * shape->d_head, w->width};
    const rf_bucket_rows to = {buckets, first_bucket(w, shape, p) + token, tokens};
    rf_mesh_poll_within(w->call->mesh);
    rf_hash_rows(shape, rf_min(RF_TILE, tokens - token), q, given_or_drawn(w, shape, head, rotations), mask,
                 rotated + rf_thread() * RF_TILE * width, &to);
  }
  rf_arena_release(w->call->scratch, mark);
  return RF_OK;
}

static rf_status prepare_duplicates(const rf_wave *w, rf_rule *rule) {
  const rf_lsh_config *lsh = &w->self->config->lsh;
  rule->duplicates = lsh->duplicates;
  if (lsh->duplicates == RF_DUPLICATES_KEEP) return RF_OK;
  const int64_t most = lsh->n_hashes * lsh->n_hashes * (lsh->chunks_before + 1 + lsh->chunks_after);
  real *log_count;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)(most + 1), sizeof *log_count, &log_count));
  if (!w->expected) rf_attend_log_counts(lsh->duplicates, most, log_count);
  rule->log_count = log_count;
  return RF_OK;
}

/* Where each pair's buckets [rounds, tokens] lie in `saved`. */
static rf_status point_at_buckets(const rf_wave *w, const rf_hash_shape *shape, const void *saved,
                                  const void *const **pointers) {
  const void **buckets;
  RF_TRY(rf_arena_take(w->call->scratch, (size_t)rf_wave_pairs(w), sizeof *buckets, &buckets));
  for (int64_t p = 0; p < rf_wave_pairs(w) && !w->expected; p++)
    buckets[p] = (const char *)saved + first_bucket(w, shape, p) * rf_bucket_bytes(shape->buckets);
  *pointers = buckets;
  return RF_OK;
}

static rf_slot_layout lsh_layout(const rf_sublayer *self, const rf_call *call) {
  const rf_lsh_config *lsh = &self->config->lsh;
  if (!hashes_length(self, call->length))
    return (rf_slot_layout){.rounds = 1, .chunk = call->length, .n_buckets = 1, .spread = true};
  const rf_hash_shape shape = rf_hash_shape_of(lsh, self->config->model.d_head);
  return (rf_slot_layout){.rounds = shape.rounds,
                          .chunk = lsh->chunk,
                          .chunks_before = lsh->chunks_before,
                          .chunks_after = lsh->chunks_after,
                          .n_buckets = shape.buckets + 1,
                          .bucket_bytes = rf_bucket_bytes(shape.buckets),
                          .rounds_travel = !lsh->attend_across_buckets || lsh->duplicates != RF_DUPLICATES_KEEP,
                          .spread = true};
}

static rf_status prepare_lsh(rf_wave *w, void *saved, bool reverse) {
  const rf_lsh_config *lsh = &w->self->config->lsh;
  rf_slot_layout layout = lsh_layout(w->self, w->call);
  const bool hashing = hashes_length(w->self, w->call->length);
  if (hashing) {
    const rf_hash_shape shape = rf_hash_shape_of(lsh, w->self->config->model.d_head);
    if (!reverse && w->part == 0) RF_TRY_IN(w->call->phases, RF_PHASE_HASH, hash_wave(w, &shape, saved));
    RF_TRY(point_at_buckets(w, &shape, saved, &layout.buckets));
  }
  RF_TRY(rf_wave_plan(w, &layout));
  w->windows.mask_padding_queries = lsh->mask_padding_queries;
  if (!hashing) return RF_OK;
  w->windows.rule.same_bucket = !lsh->attend_across_buckets;
  return prepare_duplicates(w, &w->windows.rule);
}

static size_t lsh_bucket_bytes(const rf_sublayer *self, const rf_call *call) {
  if (!hashes_length(self, call->length)) return 0;
  const rf_hash_shape shape = rf_hash_shape_of(&self->config->lsh, self->config->model.d_head);
  return (size_t)(call->sequences * self->config->model.n_heads * shape.rounds * call->tokens) *
         (size_t)rf_bucket_bytes(shape.buckets);
}

static const rf_attention_ops lsh_ops = {RF_ATTENTION_LSH, lsh_bucket_bytes,  lsh_layout,
                                         prepare_lsh,      rf_windows_attend, rf_windows_attend_vjp};

const rf_sublayer_ops rf_lsh_attention_ops = {rf_attention_describe, RF_ATTENTION_LEVELS,    rf_attention_saved_bytes,
                                              rf_attention_apply,    rf_attention_apply_vjp, &lsh_ops};
