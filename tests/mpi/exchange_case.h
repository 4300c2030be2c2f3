/* Sequences whose buckets are hard to exchange, known whole on every rank, and their order sorted serially. */
#ifndef TESTS_MPI_EXCHANGE_CASE_H
#define TESTS_MPI_EXCHANGE_CASE_H

#include "comm/exchange.h"
#include "mpi/ranks.h"

typedef enum skew {
  UNIFORM,
  ONE_BUCKET,      /* everything in the same */
  BY_POSITION,     /* a rank's tokens share few buckets, which are empty elsewhere */
  HEAVY,           /* half of all in one */
  PADDED_TAIL,     /* the last 40 % is padding: a last rank of nothing else */
  ALL_BUT_ONE_PAD, /* one real token */
} skew;

typedef struct exchange_case {
  const char *name;
  rf_exchange_shape shape; /* without histogram, rounds_travel, wire, pairs that are cut together and parts */
  skew skew;
} exchange_case;

/* pairs, rounds, tokens, chunk, before, after, n_buckets */
static const exchange_case exchange_cases[] = {
    {"uniform", {3, 4, 96, 8, 1, 0, 9, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"both sides", {2, 2, 96, 8, 1, 1, 9, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"one bucket", {2, 4, 64, 8, 1, 0, 9, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, ONE_BUCKET},
    {"empty on some ranks", {2, 3, 120, 4, 1, 1, 17, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, BY_POSITION},
    {"heavy bucket", {1, 4, 128, 8, 1, 0, 33, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, HEAVY},
    {"look-back longer than a rank", {2, 2, 24, 4, 5, 0, 5, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"look both ways over ranks", {1, 1, 28, 2, 3, 4, 5, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, HEAVY},
    {"ring shorter than the window", {2, 1, 8, 4, 3, 2, 3, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"one chunk a rank at most", {2, 1, 48, 6, 1, 0, 7, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"one chunk, ranks without tokens",
     {2, 1, 4, 4, 1, 0, 3, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0},
     UNIFORM},
    {"ranks without chunks, one bucket id",
     {1, 1, 6, 3, 1, 1, 1, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0},
     ONE_BUCKET},
    {"nothing divides", {2, 3, 7 * 13, 7, 1, 0, 11, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"nothing divides, chunk of one", {1, 5, 37, 1, 2, 0, 6, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, HEAVY},
    {"last rank of padding", {2, 2, 80, 8, 1, 0, 9, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, PADDED_TAIL},
    {"one real token", {2, 2, 40, 8, 1, 1, 9, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, ALL_BUT_ONE_PAD},
    {"8 heads, batch of 3", {24, 4, 64, 8, 1, 0, 17, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"8 rounds", {1, 8, 64, 8, 1, 0, 17, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
    {"many buckets", {1, 2, 64, 8, 1, 0, 70001, false, RF_HISTOGRAM_AUTO, RF_WIRE_REAL, 1, 1, 0}, UNIFORM},
};

/* How a case's pairs are cut over the ranks: all as one, or each alone; and which of how many parts is exchanged. */
typedef struct cut {
  bool together;
  int64_t parts, part;
} cut;

static const cut cuts[] = {{false, 1, 0}, {true, 1, 0}, {true, 3, 1}, {false, 2, 1}};

enum { CUTS = sizeof cuts / sizeof *cuts };

enum { EXCHANGE_CASES = sizeof exchange_cases / sizeof *exchange_cases };

/* What every rank knows of a case. */
typedef struct whole {
  rf_exchange_shape shape;
  int64_t chunks;                        /* of a pair */
  int *owner;                            /* [pairs, chunks] */
  uint32_t *bucket;                      /* [pairs, rounds, tokens] */
  uint8_t *mask;                         /* [pairs, tokens] */
  int32_t *token_of_slot, *slot_of_item; /* [pairs, rounds * tokens]; item = round * tokens + token */
  int bytes;                             /* of a bucket as ranks give it */
  /* what this rank gives */
  void **own_buckets;
  uint8_t **own_mask;
} whole;

static inline uint32_t draw_bucket(skew kind, dice *d, const rf_exchange_shape *s, int64_t token, bool padding) {
  const int64_t real_buckets = s->n_buckets > 1 ? s->n_buckets - 1 : 1;
  if (padding) return (uint32_t)(s->n_buckets - 1);
  switch (kind) {
  case ONE_BUCKET: return 0;
  case BY_POSITION: return (uint32_t)((token * real_buckets / s->tokens + dice_below(d, 2)) % real_buckets);
  case HEAVY: return (uint32_t)(dice_below(d, 2) ? real_buckets / 2 : dice_below(d, real_buckets));
  default: return (uint32_t)dice_below(d, real_buckets);
  }
}

static inline void sort_whole(whole *w, int64_t pair) {
  const rf_exchange_shape *s = &w->shape;
  int64_t slot = 0;
  for (int64_t r = 0; r < s->rounds; r++) {
    const uint32_t *bucket = w->bucket + (pair * s->rounds + r) * s->tokens;
    int64_t *count = NEW(int64_t, s->n_buckets + 1);
    for (int64_t t = 0; t < s->tokens; t++) count[bucket[t] + 1]++;
    for (int64_t b = 0; b < s->n_buckets; b++) count[b + 1] += count[b];
    for (int64_t t = 0; t < s->tokens; t++) {
      const int64_t at = slot + count[bucket[t]]++, first = pair * s->rounds * s->tokens;
      w->token_of_slot[first + at] = (int32_t)t;
      w->slot_of_item[first + r * s->tokens + t] = (int32_t)at;
    }
    slot += s->tokens;
    free(count);
  }
}

/* Lays the chunks of pairs that are cut together in a row, pair, chunk, round, and deals them out one by one; -1: in
 * another part. */
static inline void own_chunks(whole *w, int ranks) {
  const rf_exchange_shape *s = &w->shape;
  const int64_t row = s->together * w->chunks, per_round = s->tokens / s->chunk, parts = ranks * s->parts;
  int64_t at = 0, part = 0;
  w->owner = NEW(int, s->pairs * w->chunks);
  for (int64_t p = 0; p < s->pairs; p++)
    for (int64_t c = 0; c < per_round; c++)
      for (int64_t r = 0; r < s->rounds; r++, at++) {
        if (at == row) at = part = 0;
        while (at >= (part + 1) * row / parts) part++;
        w->owner[p * w->chunks + r * per_round + c] = part % s->parts == s->part ? (int)(part / s->parts) : -1;
      }
}

static inline whole whole_make(const rf_mesh *mesh, const exchange_case *c, cut how, uint64_t seed) {
  whole w = {.shape = c->shape};
  const rf_exchange_shape *s = &w.shape;
  if (how.together) w.shape.together = w.shape.pairs;
  const bool alone = rf_mesh_sequence_size(mesh) == 1; /* where rows are tokens, all of them */
  w.shape.parts = alone ? 1 : how.parts;
  w.shape.part = alone ? 0 : how.part;
  dice d = {seed, 0};
  w.chunks = s->rounds * (s->tokens / s->chunk);
  w.bytes = s->n_buckets > 65535 ? 4 : 2;
  own_chunks(&w, rf_mesh_sequence_size(mesh));
  w.bucket = NEW(uint32_t, s->pairs * s->rounds * s->tokens);
  w.mask = NEW(uint8_t, s->pairs * s->tokens);
  w.token_of_slot = NEW(int32_t, s->pairs * s->rounds * s->tokens);
  w.slot_of_item = NEW(int32_t, s->pairs * s->rounds * s->tokens);
  w.own_buckets = NEW(void *, s->pairs);
  w.own_mask = NEW(uint8_t *, s->pairs);
  const rf_span home = rf_exchange_home(mesh, s);
  for (int64_t p = 0; p < s->pairs; p++) {
    for (int64_t t = 0; t < s->tokens; t++)
      w.mask[p * s->tokens + t] =
          !((c->skew == PADDED_TAIL && t >= s->tokens * 6 / 10) || (c->skew == ALL_BUT_ONE_PAD && t != s->tokens / 2));
    for (int64_t i = 0; i < s->rounds * s->tokens; i++)
      w.bucket[p * s->rounds * s->tokens + i] =
          draw_bucket(c->skew, &d, s, i % s->tokens, !w.mask[p * s->tokens + i % s->tokens]);
    sort_whole(&w, p);
    w.own_buckets[p] = NEW(uint32_t, s->rounds * home.count);
    w.own_mask[p] = NEW(uint8_t, home.count);
    memcpy(w.own_mask[p], w.mask + p * s->tokens + home.first, (size_t)home.count);
    for (int64_t i = 0; i < s->rounds * home.count; i++) {
      const uint32_t bucket = w.bucket[(p * s->rounds + i / home.count) * s->tokens + home.first + i % home.count];
      if (w.bytes == 2)
        ((uint16_t *)w.own_buckets[p])[i] = (uint16_t)bucket;
      else
        ((uint32_t *)w.own_buckets[p])[i] = bucket;
    }
  }
  return w;
}

static inline void whole_free(whole *w) {
  for (int64_t p = 0; p < w->shape.pairs; p++) {
    free(w->own_buckets[p]);
    free(w->own_mask[p]);
  }
  free(w->own_buckets);
  free(w->own_mask);
  free(w->bucket);
  free(w->owner);
  free(w->mask);
  free(w->token_of_slot);
  free(w->slot_of_item);
}

static inline rf_exchange_tokens whole_tokens(const whole *w, bool with_mask) {
  return (rf_exchange_tokens){w->bytes, (const void *const *)w->own_buckets,
                              with_mask ? (const uint8_t *const *)w->own_mask : NULL};
}

/* Does rank `rank` own a slot of the token (as_halo false), or own one or see one? */
static inline bool whole_needs(const whole *w, int rank, int64_t pair, int64_t token, bool as_halo) {
  const rf_exchange_shape *s = &w->shape;
  const int64_t before = as_halo ? s->chunks_before : 0, after = as_halo ? s->chunks_after : 0;
  for (int64_t r = 0; r < s->rounds; r++) {
    const int64_t chunk = w->slot_of_item[(pair * s->rounds + r) * s->tokens + token] / s->chunk;
    for (int64_t c = chunk - after; c <= chunk + before; c++)
      if (w->owner[pair * w->chunks + ((c % w->chunks) + w->chunks) % w->chunks] == rank) return true;
  }
  return false;
}

#endif
