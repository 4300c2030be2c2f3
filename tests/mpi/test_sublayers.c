/* Attention of every kind on S ranks against one rank: outputs, input gradients, parameter gradients and buckets. */
#include "mpi/sharded_case.h"

/* Ranks cut sums differently: over rounds and owners in the forward pass, over tiles of tokens in weight gradients. In
 * double that leaves 1e-10 with room to spare. In float a logit s is good to about |s| epsilon, and so is what it
 * weighs. */
static double tolerance_of(const sharded_case *c) {
#ifdef RF_DOUBLE
  (void)c;
  return 1e-10;
#else
  return 100 * (double)RF_REAL_EPSILON * (1 + c->query_gain);
#endif
}

static void compare(const sharded *s, const char *what, int64_t n, const real *found, const real *expected,
                    double least_norm) {
  double difference = 0, norm = 0;
  for (int64_t i = 0; i < n; i++) {
    const double e = (double)found[i] - (double)expected[i];
    difference += e * e;
    norm += (double)expected[i] * (double)expected[i];
  }
  const double error = sqrt(difference) / fmax(fmax(sqrt(norm), least_norm), 1e-300);
  if (!(error <= tolerance_of(s->c)))
    fail_msg("%s (seed %llu), rank %d of %d: %s has relative error %.3g, allowed %.3g", s->c->name,
             (unsigned long long)s->c->seed, rf_mesh_rank(s->mesh), rf_mesh_size(s->mesh), what, error,
             tolerance_of(s->c));
}

/* A single rank's tokens may have outputs near zero by chance; whole outputs do not. */
static void compare_tokens(const sharded *s, const char *what, const real *found, const real *whole) {
  const int64_t n = s->c->sequences * s->own.count * s->d;
  const double rank_share = sqrt((double)s->own.count / (double)s->sublayer->call.tokens);
  real *expected = own_part(s, whole, 1, (size_t)s->d * sizeof(real)), *seen = NEW(real, n);
  bool *counts = own_part(s, s->counts, 1, sizeof *counts);
  double norm = 0;
  for (int64_t i = 0; i < n; i++) {
    seen[i] = counts[i / s->d] ? found[i] : 0;
    if (!counts[i / s->d]) expected[i] = 0;
  }
  for (size_t i = 0; i < s->sublayer->values; i++) norm += (double)whole[i] * (double)whole[i];
  compare(s, what, n, seen, expected, rank_share * sqrt(norm));
  free(expected);
  free(seen);
  free(counts);
}

/* Tensors one by one, so that large gradients do not hide errors in small ones: down to a thousandth of the whole. */
static void compare_parameters(const sharded *s, const real *found, const real *expected) {
  double norm = 0;
  for (int64_t i = 0; i < s->sublayer->block.size; i++) norm += (double)expected[i] * (double)expected[i];
  for (int t = 0; t < s->sublayer->block.n_tensors; t++) {
    const rf_tensor *tensor = &s->sublayer->block.tensors[t];
    char what[RF_MAX_NAME + 32];
    (void)snprintf(what, sizeof what, "the gradient of %s", tensor->name);
    compare(s, what, rf_tensor_count(tensor), found + tensor->offset, expected + tensor->offset, 1e-3 * sqrt(norm));
  }
}

/* How many of this rank's buckets are not those of one rank. */
static int64_t other_buckets(const sharded *s, const void *found, const void *whole) {
  const int64_t heads = s->c->heads * s->buckets_of_head, n = s->c->sequences * heads * s->own.count;
  int64_t others = 0;
  char *expected = own_part(s, whole, heads, (size_t)s->bucket_bytes);
  for (int64_t i = 0; i < n; i++)
    others +=
        memcmp((const char *)found + i * s->bucket_bytes, expected + i * s->bucket_bytes, (size_t)s->bucket_bytes) != 0;
  free(expected);
  return others;
}

/* In float a query near the border of two buckets may fall to either side (a product over other tiles has other bits):
 * then the forward pass sorted otherwise, and only what was computed at the same buckets is compared. */
static void check_buckets_and_output(const sharded *s, const results *shard, const results *whole) {
  int64_t others = s->buckets_of_head > 0 ? other_buckets(s, shard->saved, whole->saved) : 0;
  assert_ok(rf_sum_integers(s->mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, 1, &others));
#ifdef RF_DOUBLE
  if (others > 0) fail_msg("%s: %lld buckets are not those of one rank", s->c->name, (long long)others);
#else
  const int64_t all = s->c->sequences * s->c->heads * s->buckets_of_head * s->sublayer->call.tokens;
  if (others > 2 + all / 1000)
    fail_msg("%s: %lld of %lld buckets are not those of one rank", s->c->name, (long long)others, (long long)all);
  if (others > 0) return;
#endif
  compare_tokens(s, "the output", shard->y, whole->y);
}

static void check_case(rf_mesh *mesh, const sharded_case *c) {
  sharded s = sharded_create(mesh, c);
  const rf_mark scratch = rf_arena_mark(s.sublayer->arena), plans = rf_arena_mark(s.sublayer->plans);
  results whole = run_sublayer(&s, &s.sublayer->call, s.x, s.dy, NULL);
  results shard = run_shard(&s, whole.saved);
  check_buckets_and_output(&s, &shard, &whole);
  compare_tokens(&s, "the recomputed output", shard.vjp_y, whole.vjp_y);
  compare_tokens(&s, "the input's gradient", shard.dx, whole.dx);
  compare_parameters(&s, shard.dparams, whole.dparams);
  assert_int_equal(rf_arena_mark(s.sublayer->arena), scratch);
  assert_int_equal(rf_arena_mark(s.sublayer->plans), plans);
  results_free(&whole);
  results_free(&shard);
  sharded_free(&s);
}

static rf_mesh *world(void) {
  rf_mesh *mesh;
  assert_ok(make_mesh(rf_mpi_size(), 1, &mesh));
  return mesh;
}

static void check_cases(int n, const sharded_case *cases) {
  rf_mesh *mesh = world();
  for (int i = 0; i < n; i++) check_case(mesh, &cases[i]);
  rf_mesh_destroy(mesh);
}

#define CHECK_CASES(cases) check_cases((int)(sizeof(cases) / sizeof *(cases)), (cases))

static void test_lsh_attention_with_every_option_is_that_of_one_rank(void **state) {
  (void)state;
  static const int64_t rounds[] = {1, 2, 4};
  static const padding paddings[] = {ALL_REAL, UNEQUAL, HALF, ONE_TOKEN, NOTHING};
  rf_mesh *mesh = world();
  /* the whole product of these ... */
  for (int i = 0; i < 2 * 3 * 3 * 2 * 2 * 3; i++) {
    char name[160];
    const rf_lsh_config lsh = {.chunk = 4,
                               .n_hashes = rounds[i / 2 % 3],
                               .n_factors = 1 + i % 2,
                               .n_buckets = {4, 2},
                               .chunks_before = i / 6 % 3,
                               .chunks_after = i / 18 % 2,
                               .attend_across_buckets = i / 36 % 2,
                               .duplicates = (rf_duplicates)(i / 72),
                               /* ... beside one value each of the rest, which come around at other paces */
                               .rotations = i % 7 == 0 ? RF_ROTATIONS_SHARED : RF_ROTATIONS_PER_HEAD,
                               .key_norm = i % 5 < 3 ? RF_KEYS_RMS : RF_KEYS_UNIT,
                               .mask_padding_queries = i % 11 < 4};
    const sharded_case c = {.name = name,
                            .ops = &rf_lsh_attention_ops,
                            .causal = i % 2,
                            .sequences = 2,
                            .heads = 2,
                            .tokens = i % 3 ? 40 : 36,
                            .padding = paddings[(i / 2 + i / 10) % 5],
                            .lsh = lsh,
                            .dropout = i % 4 < 2,
                            .seed = 100 + (uint64_t)i};
    (void)snprintf(name, sizeof name, "option set %d: %lld rounds, %lld before, %lld after, duplicates %d, padding %d",
                   i, (long long)lsh.n_hashes, (long long)lsh.chunks_before, (long long)lsh.chunks_after,
                   (int)lsh.duplicates, (int)c.padding);
    check_case(mesh, &c);
  }
  rf_mesh_destroy(mesh);
}

/* chunk, rounds, factors, buckets, before, after, across, duplicates */
#define LSH(c, r, n, b, before, after)                                                                                 \
  {                                                                                                                    \
    .chunk = (c), .n_hashes = (r), .n_factors = (n), .n_buckets = {b, b}, .chunks_before = (before),                   \
    .chunks_after = (after), .attend_across_buckets = true                                                             \
  }
#define OF_LSH .ops = &rf_lsh_attention_ops

static const sharded_case hard_lsh[] = {
    {"all in one bucket, zero rotations", OF_LSH, true, 2, 2, 64, .zero_rotations = true, .lsh = LSH(8, 4, 1, 8, 1, 0),
     .seed = 1},
    {"all in one bucket, equal inputs", OF_LSH, true, 2, 2, 64, .inputs = EQUAL, .lsh = LSH(8, 4, 1, 8, 1, 1),
     .seed = 2},
    {"buckets empty on some ranks", OF_LSH, true, 1, 2, 96, .inputs = BY_POSITION, .lsh = LSH(8, 2, 1, 16, 1, 0),
     .seed = 3},
    {"look-back longer than a rank", OF_LSH, true, 2, 2, 24, .lsh = LSH(4, 2, 1, 4, 5, 0), .seed = 4},
    {"look both ways over ranks", OF_LSH, false, 1, 1, 28, .lsh = LSH(2, 1, 1, 4, 3, 4), .seed = 5},
    {"window longer than the ring of chunks", OF_LSH, true, 1, 2, 8, .lsh = LSH(4, 1, 1, 2, 3, 2), .seed = 6},
    {"one chunk a rank", OF_LSH, true, 2, 2, 0, .lsh = LSH(8, 1, 1, 4, 1, 0), .seed = 7},
    {"one chunk in all", OF_LSH, true, 2, 2, 4, .padding = UNEQUAL, .lsh = LSH(4, 2, 1, 2, 1, 0), .seed = 8},
    {"fewer tokens than ranks", OF_LSH, false, 2, 2, 6, .lsh = LSH(3, 1, 1, 2, 1, 1), .seed = 9},
    {"one token", OF_LSH, true, 1, 1, 1, .lsh = LSH(4, 1, 1, 2, 1, 0), .seed = 10},
    {"chunks of one slot", OF_LSH, true, 1, 2, 37, .lsh = LSH(1, 3, 1, 6, 2, 0), .seed = 11},
    {"length that divides by nothing", OF_LSH, true, 2, 2, 7 * 13, .padding = UNEQUAL, .lsh = LSH(7, 3, 1, 10, 1, 0),
     .seed = 12},
    {"last ranks of padding only", OF_LSH, true, 2, 2, 80, .padding = HALF, .lsh = LSH(8, 2, 1, 8, 1, 0), .seed = 13},
    {"one real token", OF_LSH, true, 2, 2, 40, .padding = ONE_TOKEN, .lsh = LSH(8, 2, 1, 8, 1, 1), .seed = 14},
    {"a sequence of padding", OF_LSH, true, 3, 2, 40, .padding = NOTHING, .lsh = LSH(8, 2, 1, 8, 1, 0), .seed = 15},
    {"logits of 1e4", OF_LSH, true, 2, 2, 64, .query_gain = 1e4, .padding = UNEQUAL, .lsh = LSH(8, 4, 1, 8, 1, 0),
     .seed = 16},
    {"logits of 1e4, both ways", OF_LSH, false, 1, 2, 64, .query_gain = 1e4, .lsh = LSH(8, 2, 1, 8, 1, 1), .seed = 17},
    {"8 heads, batch 3, waves of 3 heads", OF_LSH, true, 3, 8, 64, .padding = UNEQUAL, .wave_bytes = 3 * 8 * 64 * 6 * 8,
     .lsh = LSH(8, 2, 1, 8, 1, 0), .dropout = true, .seed = 18},
    {"8 heads, batch 3, waves of a pair", OF_LSH, true, 3, 8, 48, .padding = UNEQUAL, .wave_bytes = 1,
     .lsh = LSH(8, 2, 1, 8, 1, 0), .dropout = true, .seed = 19},
    {"heads of width 1", OF_LSH, true, 2, 3, 64, .d_head = 1, .padding = UNEQUAL, .lsh = LSH(8, 2, 1, 8, 1, 0),
     .seed = 21},
    {"ids of 4 bytes", OF_LSH, true, 1, 2, 64, .padding = UNEQUAL, .lsh = LSH(8, 2, 2, 512, 1, 0), .seed = 20},
};

/* Rows come part after part: a head's rows do not fit. One byte: a chunk of each round a part. */
static const sharded_case parts_of_lsh[] = {
    {"a chunk a part", OF_LSH, true, 2, 2, 96, .padding = UNEQUAL, .wave_memory = 1, .lsh = LSH(8, 4, 1, 8, 1, 0),
     .dropout = true, .seed = 22},
    {"some parts", OF_LSH, true, 2, 3, 160, .padding = UNEQUAL, .wave_memory = 8000, .lsh = LSH(8, 2, 1, 8, 1, 1),
     .dropout = true, .seed = 23},
    {"parts, both ways", OF_LSH, false, 1, 2, 128, .padding = HALF, .wave_memory = 4000, .lsh = LSH(8, 3, 2, 8, 1, 1),
     .seed = 24},
    {"parts by position", OF_LSH, true, 1, 2, 128, .inputs = BY_POSITION, .wave_memory = 4000,
     .lsh = LSH(8, 2, 1, 8, 1, 0), .seed = 25},
    {"parts of one bucket", OF_LSH, true, 1, 2, 64, .wave_memory = 1, .zero_rotations = true,
     .lsh = LSH(8, 4, 1, 8, 1, 0), .seed = 26},
    {"parts, logits of 1e4", OF_LSH, true, 2, 2, 64, .query_gain = 1e4, .padding = UNEQUAL, .wave_memory = 1,
     .lsh = LSH(8, 4, 1, 8, 1, 0), .seed = 27},
    {"parts of one real token", OF_LSH, true, 2, 2, 64, .padding = ONE_TOKEN, .wave_memory = 1,
     .lsh = LSH(8, 2, 1, 8, 1, 1), .seed = 28},
    {"parts that divide by nothing", OF_LSH, true, 2, 2, 7 * 13, .padding = UNEQUAL, .wave_memory = 1,
     .lsh = LSH(7, 3, 1, 10, 1, 0), .dropout = true, .seed = 29},
};

static void test_lsh_attention_in_parts_is_that_of_one_rank(void **state) {
  (void)state;
  CHECK_CASES(parts_of_lsh);
}

static void test_lsh_attention_of_hard_inputs_is_that_of_one_rank(void **state) {
  (void)state;
  CHECK_CASES(hard_lsh);
}

#define OF_LOCAL .ops = &rf_local_attention_ops

static const sharded_case local_cases[] = {
    {"causal, one before", OF_LOCAL, true, 2, 2, 48, .local = {8, 1, 0}, .dropout = true, .seed = 31},
    {"causal, padding", OF_LOCAL, true, 2, 2, 48, .padding = UNEQUAL, .local = {8, 1, 0}, .seed = 32},
    {"causal, own chunk only", OF_LOCAL, true, 1, 2, 40, .local = {8, 0, 0}, .seed = 33},
    {"causal, look-back over ranks", OF_LOCAL, true, 2, 2, 48, .local = {4, 5, 0}, .dropout = true, .seed = 34},
    {"causal, after too", OF_LOCAL, true, 2, 2, 48, .padding = UNEQUAL, .local = {4, 1, 2}, .seed = 35},
    {"both ways, wrapping", OF_LOCAL, false, 2, 2, 48, .local = {8, 1, 1}, .dropout = true, .seed = 36},
    {"both ways over ranks", OF_LOCAL, false, 1, 2, 60, .padding = UNEQUAL, .local = {4, 3, 4}, .seed = 37},
    {"after only", OF_LOCAL, false, 1, 2, 48, .local = {8, 0, 1}, .seed = 38},
    {"window longer than the sequence", OF_LOCAL, false, 1, 2, 16, .local = {8, 3, 2}, .seed = 39},
    {"chunks longer than a rank", OF_LOCAL, true, 2, 2, 96, .padding = UNEQUAL, .local = {48, 1, 0}, .seed = 40},
    {"chunks longer than a rank, both ways", OF_LOCAL, false, 1, 2, 72, .local = {24, 1, 1}, .seed = 41},
    {"one chunk in all", OF_LOCAL, true, 2, 2, 8, .padding = UNEQUAL, .local = {8, 1, 0}, .seed = 42},
    {"one chunk a rank", OF_LOCAL, true, 1, 2, 0, .local = {8, 1, 0}, .seed = 43},
    {"fewer tokens than ranks", OF_LOCAL, true, 2, 2, 6, .local = {3, 1, 0}, .seed = 44},
    {"one token", OF_LOCAL, false, 1, 1, 1, .local = {4, 1, 0}, .seed = 45},
    {"length that divides by nothing", OF_LOCAL, true, 2, 2, 7 * 13, .padding = UNEQUAL, .local = {7, 1, 0},
     .seed = 46},
    {"last ranks of padding only", OF_LOCAL, true, 2, 2, 80, .padding = HALF, .local = {8, 1, 0}, .seed = 47},
    {"a sequence of padding", OF_LOCAL, true, 3, 2, 40, .padding = NOTHING, .local = {8, 1, 0}, .seed = 48},
    {"logits of 1e4", OF_LOCAL, true, 2, 2, 48, .padding = UNEQUAL, .query_gain = 1e4, .local = {8, 1, 0}, .seed = 49},
    {"heads of width 1", OF_LOCAL, true, 2, 3, 48, .d_head = 1, .padding = UNEQUAL, .local = {8, 1, 0}, .seed = 51},
    {"8 heads, batch 3, waves of a pair", OF_LOCAL, true, 3, 8, 48, .padding = UNEQUAL, .wave_bytes = 1,
     .local = {8, 1, 0}, .dropout = true, .seed = 50},
};

static void test_local_attention_is_that_of_one_rank(void **state) {
  (void)state;
  CHECK_CASES(local_cases);
}

#define OF_FULL .ops = &rf_full_attention_ops

static const sharded_case full_cases[] = {
    {"causal", OF_FULL, true, 2, 2, 48, .dropout = true, .seed = 61},
    {"causal, shared", OF_FULL, true, 2, 2, 48, .shared_qk = true, .dropout = true, .seed = 62},
    {"both ways", OF_FULL, false, 2, 2, 48, .dropout = true, .seed = 63},
    {"both ways, shared", OF_FULL, false, 2, 2, 48, .padding = UNEQUAL, .shared_qk = true, .seed = 64},
    {"causal, padding", OF_FULL, true, 3, 2, 47, .padding = UNEQUAL, .seed = 65},
    {"several blocks a rank", OF_FULL, true, 1, 1, 1100, .padding = UNEQUAL, .seed = 66},
    {"several blocks a rank, both ways, shared", OF_FULL, false, 1, 1, 700, .shared_qk = true, .seed = 67},
    {"fewer tokens than ranks", OF_FULL, true, 2, 2, 5, .seed = 68},
    {"fewer tokens than ranks, shared", OF_FULL, false, 2, 2, 3, .shared_qk = true, .seed = 69},
    {"one token", OF_FULL, true, 1, 1, 1, .seed = 70},
    {"one token, shared", OF_FULL, true, 1, 1, 1, .shared_qk = true, .seed = 71},
    {"length that divides by nothing", OF_FULL, true, 2, 2, 7 * 13, .padding = UNEQUAL, .shared_qk = true, .seed = 72},
    {"last ranks of padding only", OF_FULL, true, 2, 2, 80, .padding = HALF, .seed = 73},
    {"last ranks of padding only, both ways", OF_FULL, false, 2, 2, 80, .padding = HALF, .shared_qk = true, .seed = 74},
    {"one real token", OF_FULL, true, 2, 2, 40, .padding = ONE_TOKEN, .shared_qk = true, .seed = 75},
    {"a sequence of padding", OF_FULL, true, 2, 2, 40, .padding = NOTHING, .seed = 76},
    {"a sequence of padding, shared", OF_FULL, true, 2, 2, 40, .padding = NOTHING, .shared_qk = true, .seed = 77},
    {"a sequence of padding, both ways", OF_FULL, false, 2, 2, 40, .padding = NOTHING, .seed = 78},
    {"logits of 1e4", OF_FULL, true, 2, 2, 48, .padding = UNEQUAL, .query_gain = 1e4, .seed = 79},
    {"logits of 1e4, both ways, shared", OF_FULL, false, 2, 2, 48, .query_gain = 1e4, .shared_qk = true, .seed = 80},
    {"heads of width 1", OF_FULL, true, 2, 3, 48, .d_head = 1, .padding = UNEQUAL, .seed = 82},
    {"8 heads, batch 3, waves of a pair", OF_FULL, true, 3, 8, 48, .padding = UNEQUAL, .wave_bytes = 1, .dropout = true,
     .seed = 81},
};

static void test_full_attention_is_that_of_one_rank(void **state) {
  (void)state;
  CHECK_CASES(full_cases);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_lsh_attention_with_every_option_is_that_of_one_rank),
    cmocka_unit_test(test_lsh_attention_of_hard_inputs_is_that_of_one_rank),
    cmocka_unit_test(test_lsh_attention_in_parts_is_that_of_one_rank),
    cmocka_unit_test(test_local_attention_is_that_of_one_rank),
    cmocka_unit_test(test_full_attention_is_that_of_one_rank),
};

RANKS_MAIN(tests)
