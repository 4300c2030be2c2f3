/* Results of several owners and parts, merged at home. */
#include "mpi/exchange_arrays.h"

static double logit_of(int64_t pair, int64_t round, int64_t position) {
  static const double sizes[] = {1, 1e4, -1e4, -1e5, -1e9};
  const double size = sizes[(position + round * 3) % 5];
  return size + (double)((pair * 7 + round * 5 + position * 3) % 11) / 4;
}

/* One slot's result is (o, m, z) = (z v, logit, z), v and z belonging to the slot. */
static double z_of(int64_t round, int64_t position) { return 1 + (double)((round + position) % 3); }
static double v_of(int64_t pair, int64_t round, int64_t position, int64_t j) {
  return (double)((pair + round * 2 + position + j) % 9) - 4;
}

static void fill_results(fixture *b, arrays *a, int64_t dh) {
  const rf_exchange_shape *s = &b->w.shape;
  for (int64_t p = 0; p < s->pairs; p++) {
    const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, p);
    for (int64_t i = 0; i < pair->n_own; i++) {
      const int64_t position = pair->position[i];
      double m = -INFINITY, z = 0, o[8] = {0};
      for (int64_t r = 0; r < s->rounds; r++) {
        const int64_t chunk = b->w.slot_of_item[(p * s->rounds + r) * s->tokens + position] / s->chunk;
        if (b->w.owner[p * b->w.chunks + chunk] != b->rank) continue;
        const double logit = (double)(real)logit_of(p, r, position), both = fmax(m, logit);
        const double keep = exp(m - both), take = exp(logit - both) * z_of(r, position);
        for (int64_t j = 0; j < dh; j++) o[j] = o[j] * keep + take * v_of(p, r, position, j);
        z = z * keep + take;
        m = both;
      }
      for (int64_t j = 0; j < dh; j++) row_of(a, 0, p, i)[j] = (real)o[j];
      *row_of(a, 1, p, i) = (real)m;
      *row_of(a, 2, p, i) = (real)z;
    }
  }
}

/* What a token has before a part's results come: as of a slot of one round more. */
static void fill_tokens_before(const fixture *b, arrays *a, int64_t dh) {
  const int64_t round = b->w.shape.rounds;
  for (int64_t p = 0; p < b->w.shape.pairs; p++)
    for (int64_t t = 0; t < b->home.count; t++) {
      const int64_t position = b->home.first + t;
      for (int64_t j = 0; j < dh; j++)
        token_of(a, 0, p, t)[j] = (real)(z_of(round, position) * v_of(p, round, position, j));
      *token_of(a, 1, p, t) = (real)logit_of(p, round, position);
      *token_of(a, 2, p, t) = (real)z_of(round, position);
    }
}

/* Of the rounds in which the token's slot is in this part, and where there was something before, of that. */
static void check_merged(fixture *b, const arrays *a, bool more, int64_t pair, int64_t t) {
  enum { DH = 4 };
  const rf_exchange_shape *s = &b->w.shape;
  const int64_t position = b->home.first + t;
  double m = -INFINITY, z = 0, o[DH] = {0};
  for (int pass = 0; pass < 2; pass++)
    for (int64_t r = 0; r < s->rounds + more; r++) {
      const int64_t item = (pair * s->rounds + r) * s->tokens + position;
      if (r < s->rounds && b->w.owner[pair * b->w.chunks + b->w.slot_of_item[item] / s->chunk] < 0) continue;
      const double logit = (double)(real)logit_of(pair, r, position);
      if (pass == 0) {
        m = fmax(m, logit);
        continue;
      }
      const double weight = exp(logit - m) * z_of(r, position);
      for (int64_t j = 0; j < DH; j++) o[j] += weight * v_of(pair, r, position, j);
      z += weight;
    }
  check(b, (double)*token_of(a, 1, pair, t) == (z > 0 ? m : 0));
  /* logits of 1e4 keep 0.001 in float; what remains of a rounded difference is in the weights */
  const double tolerance = sizeof(real) == 8 ? 1e-10 : 5e-3;
  check(b, fabs((double)*token_of(a, 2, pair, t) - z) <= tolerance * z);
  for (int64_t j = 0; j < DH; j++) check(b, fabs((double)token_of(a, 0, pair, t)[j] - o[j]) <= tolerance * 4 * z);
}

static void check_merge_of(fixture *b, bool more) {
  enum { DH = 4 };
  const int64_t widths[] = {DH, 1, 1};
  const rf_exchange_counts n = rf_exchange_count(b->x);
  arrays a = arrays_make(b, 3, widths);
  rf_exchange_move *move;
  fill_results(b, &a, DH);
  if (more) fill_tokens_before(b, &a, DH);
  rf_traffic_reset(b->mesh);
  arrive_late(b->mesh, 2);
  const rf_exchange_kind kind = more ? RF_GATHER_MERGE_MORE : RF_GATHER_MERGE;
  assert_ok(rf_exchange_start(b->x, kind, RF_ROWS_OWN, 3, a.field, plans, &move));
  assert_ok(rf_exchange_finish(move));
  check_traffic(b, n.own_received, 0, DH + 2);
  for (int64_t p = 0; p < b->w.shape.pairs; p++)
    for (int64_t t = 0; t < b->home.count; t++) check_merged(b, &a, more, p, t);
  check_gaps(b, &a);
  arrays_free(b, &a);
}

static void check_merge(fixture *b) {
  check_merge_of(b, false);
  check_merge_of(b, true);
}

static void check_merges(rf_mesh *mesh) { for_every_case(mesh, check_merge); }

static void test_merged_results_are_those_of_one_rank_whatever_the_logits(void **state) {
  (void)state;
  on_every_mesh(check_merges);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_merged_results_are_those_of_one_rank_whatever_the_logits),
};

int main(int argc, char **argv) { return exchange_tests_run(&argc, &argv, tests, sizeof tests / sizeof *tests); }
