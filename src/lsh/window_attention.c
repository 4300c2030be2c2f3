#include "lsh/window_attention.h"
#include "base/integers.h"
#include "comm/poll.h"
#include "kernel/gather.h"
#include "kernel/parallel.h"
#include "lsh/stripe.h"
#include <assert.h>
#include <string.h>

/* The rule of one chunk of a stripe: the dropout draw knows pair and round. */
static rf_rule stripe_rule(const rf_windows *w, const rf_stripe *stripe) {
  rf_rule rule = w->rule;
  rule.rounds = w->owners.rounds;
  rule.chunks = rf_owners_chunks(&w->owners);
  rule.chunks_before = w->owners.before;
  rule.chunks_after = w->owners.after;
  rule.draw.head = w->pairs[stripe->pair].head;
  rule.draw.sequence = w->pairs[stripe->pair].sequence;
  rule.draw.round = (uint32_t)stripe->round;
  return rule;
}

/* The tokens from entry `first` on; chunk and bucket tables keep their stride. */
static rf_tokens tokens_from(const rf_tokens *t, int64_t first) {
  rf_tokens part = *t;
  part.position += first;
  part.order += first;
  part.limit += first;
  part.bucket += first;
  if (part.chunk_in_round) part.chunk_in_round += first;
  if (part.bucket_in_round) part.bucket_in_round += first;
  return part;
}

/* Of a chunk, whose tokens and rule are the caller's. */
static rf_attend_window window_of(const rf_windows *w, const rf_stripe_buffers *b, const rf_rule *rule,
                                  const rf_tokens *queries, const rf_tokens *keys) {
  return (rf_attend_window){.n_queries = w->chunk,
                            .n_keys = (w->owners.before + 1 + w->owners.after) * w->chunk,
                            .d_head = w->d_head,
                            .ldkt = b->ldkt,
                            .rule = rule,
                            .queries = queries,
                            .keys = keys};
}

static void attend_stripe(const rf_windows *w, const rf_stripe *stripe, rf_stripe_buffers *b) {
  const rf_rule rule = stripe_rule(w, stripe);
  const rf_pair *pair = &w->pairs[stripe->pair];
  const rf_attended whole = {pair->o, pair->m, pair->z};
  const int64_t halo = w->owners.before * w->chunk, dh = w->d_head;
  rf_stripe_gather(w, stripe, false, b);
  for (int64_t c = 0; c < stripe->n_chunks; c++) {
    const int64_t first = c * w->chunk;
    const rf_tokens keys = tokens_from(&b->as_keys, first), queries = tokens_from(&b->as_keys, first + halo);
    const rf_attend_window window = window_of(w, b, &rule, &queries, &keys);
    rf_attend(&window, b->q + first * dh, b->kt + first, b->v + first * dh, &b->scratch, &b->result);
    rf_attend_merge(w->chunk, dh, b->row + halo + first, &b->result, &whole, w->ld);
  }
}

/* Behind an arena that only counts is no memory: what is written to each entry then goes to one that is thrown away. */
static rf_status take_thread_buffers(const rf_windows *w, bool reverse, rf_arena *scratch,
                                     rf_stripe_buffers **buffers) {
  rf_stripe_buffers counted;
  RF_TRY(rf_arena_take(scratch, (size_t)rf_threads(), sizeof **buffers, buffers));
  for (int i = 0; i < rf_threads(); i++)
    RF_TRY(rf_stripe_buffers_take(w, reverse, scratch, rf_arena_counts(scratch) ? &counted : &(*buffers)[i]));
  return RF_OK;
}

rf_status rf_windows_attend(const rf_windows *w, rf_arena *scratch) {
  assert(w->tokens % w->chunk == 0);
  const rf_mark mark = rf_arena_mark(scratch);
  rf_stripe_buffers *buffers;
  rf_stripes stripes;
  RF_TRY(take_thread_buffers(w, false, scratch, &buffers));
  RF_TRY(rf_stripes_take(w, scratch, &stripes));
  if (rf_arena_counts(scratch)) {
    rf_arena_release(scratch, mark);
    return RF_OK;
  }
  for (int64_t p = 0; p < w->n_pairs; p++) memset(w->pairs[p].z, 0, (size_t)w->pairs[p].n_rows * sizeof(real));
  /* Round after round: a token stands once in each, so that within a round no two stripes meet in a token, and the
   * order in which rounds are merged is fixed. */
  for (int64_t r = 0; r < w->owners.rounds; r++) {
    const int64_t *first = stripes.first + r * w->n_pairs;
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = first[0]; i < first[w->n_pairs]; i++) {
      rf_mesh_poll_within(w->mesh);
      attend_stripe(w, &stripes.stripe[i], &buffers[rf_thread()]);
    }
  }
  rf_arena_release(scratch, mark);
  return RF_OK;
}

/* A stripe's gradients of its halo keys: other stripes of the round may hold the same tokens, so they wait here until
 * the round is done. */
typedef struct halo_gradients {
  int32_t *row;  /* [slots] */
  real *dk, *dv; /* [slots, d_head] */
} halo_gradients;

static void set_halo_aside(const rf_windows *w, const rf_stripe *stripe, const rf_stripe_buffers *b,
                           halo_gradients *halo) {
  const int64_t before = w->owners.before * w->chunk, after = w->owners.after * w->chunk, dh = w->d_head;
  const int64_t last = stripe->keys - after;
  memcpy(halo->row, b->row, (size_t)before * sizeof(int32_t));
  memcpy(halo->dk, b->dk, (size_t)(before * dh) * sizeof(real));
  memcpy(halo->dv, b->dv, (size_t)(before * dh) * sizeof(real));
  memcpy(halo->row + before, b->row + last, (size_t)after * sizeof(int32_t));
  memcpy(halo->dk + before * dh, b->dk + last * dh, (size_t)(after * dh) * sizeof(real));
  memcpy(halo->dv + before * dh, b->dv + last * dh, (size_t)(after * dh) * sizeof(real));
}

static void attend_stripe_vjp(const rf_windows *w, const rf_stripe *stripe, rf_stripe_buffers *b,
                              halo_gradients *edge) {
  const rf_rule rule = stripe_rule(w, stripe);
  const rf_pair *pair = &w->pairs[stripe->pair];
  const int64_t halo = w->owners.before * w->chunk, dh = w->d_head;
  rf_stripe_gather(w, stripe, true, b);
  for (int64_t c = 0; c < stripe->n_chunks; c++) {
    const int64_t first = c * w->chunk, at = first * dh;
    const rf_tokens keys = tokens_from(&b->as_keys, first), queries = tokens_from(&b->as_keys, first + halo);
    const rf_attend_window window = window_of(w, b, &rule, &queries, &keys);
    const rf_attend_reverse in = {.q = b->q + at,
                                  .k = b->k + at,
                                  .kt = b->kt + first,
                                  .vt = b->vt + first,
                                  .d_o = b->d_o + at,
                                  .m = b->m + first,
                                  .z_inverse = b->z_inverse + first,
                                  .delta = b->delta + first};
    rf_attend_vjp(&window, &in, &b->scratch, &(rf_attend_gradient){b->dq, b->dk + at, b->dv + at});
    rf_rows_scatter_add(w->chunk, w->d_head, b->row + halo + first, b->dq, pair->dq, w->ld);
  }
  const int64_t own = stripe->n_chunks * w->chunk;
  rf_rows_scatter_add(own, w->d_head, b->row + halo, b->dk + halo * dh, pair->dk, w->ld);
  rf_rows_scatter_add(own, w->d_head, b->row + halo, b->dv + halo * dh, pair->dv, w->ld);
  set_halo_aside(w, stripe, b, edge);
}

static rf_status take_halos(const rf_windows *w, int64_t stripes, rf_arena *scratch, halo_gradients **halos) {
  const size_t slots = (size_t)((w->owners.before + w->owners.after) * w->chunk);
  halo_gradients counted;
  RF_TRY(rf_arena_take(scratch, (size_t)stripes, sizeof **halos, halos));
  for (int64_t i = 0; i < stripes; i++) {
    halo_gradients *halo = rf_arena_counts(scratch) ? &counted : &(*halos)[i];
    RF_TRY(rf_arena_take(scratch, slots, sizeof(int32_t), &halo->row));
    RF_TRY(rf_arena_take(scratch, slots * (size_t)w->d_head, sizeof(real), &halo->dk));
    RF_TRY(rf_arena_take(scratch, slots * (size_t)w->d_head, sizeof(real), &halo->dv));
  }
  return RF_OK;
}

rf_status rf_windows_attend_vjp(const rf_windows *w, rf_arena *scratch) {
  assert(w->tokens % w->chunk == 0);
  const rf_mark mark = rf_arena_mark(scratch);
  const int64_t halo_slots = (w->owners.before + w->owners.after) * w->chunk;
  rf_stripe_buffers *buffers;
  halo_gradients *halos;
  rf_stripes stripes;
  RF_TRY(take_thread_buffers(w, true, scratch, &buffers));
  RF_TRY(rf_stripes_take(w, scratch, &stripes));
  RF_TRY(take_halos(w, rf_stripes_most(w), scratch, &halos));
  if (rf_arena_counts(scratch)) {
    rf_arena_release(scratch, mark);
    return RF_OK;
  }
  for (int64_t r = 0; r < w->owners.rounds; r++) {
    const int64_t *first = stripes.first + r * w->n_pairs;
#pragma omp parallel for schedule(dynamic)
    for (int64_t i = first[0]; i < first[w->n_pairs]; i++) {
      rf_mesh_poll_within(w->mesh);
      attend_stripe_vjp(w, &stripes.stripe[i], &buffers[rf_thread()], &halos[i - first[0]]);
    }
    /* Halos after own, stripe after stripe: a fixed order. Pairs do not share rows. */
#pragma omp parallel for schedule(static)
    for (int64_t p = 0; p < w->n_pairs; p++)
      for (int64_t i = first[p] - first[0]; i < first[p + 1] - first[0]; i++) {
        rf_rows_scatter_add(halo_slots, w->d_head, halos[i].row, halos[i].dk, w->pairs[p].dk, w->ld);
        rf_rows_scatter_add(halo_slots, w->d_head, halos[i].row, halos[i].dv, w->pairs[p].dv, w->ld);
      }
  }
  rf_arena_release(scratch, mark);
  return RF_OK;
}
