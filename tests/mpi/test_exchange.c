/* The exchange's plans against a serial sort of the whole sequence, on meshes of every shape, and what they cost. */
#include "comm/expect.h"
#include "comm/mesh_state.h"
#include "comm/simulate.h"
#include "mpi/exchange_fixture.h"

/* --- The plan ------------------------------------------------------------------------------------ */

/* What is seen of each round: from the first chunk that this rank owns to the last, and around them. */
static void check_slots(fixture *b, int64_t pair) {
  const rf_exchange_shape *s = &b->w.shape;
  const rf_exchange_pair *own = rf_exchange_pair_of(b->x, pair);
  const int64_t per_round = s->tokens / s->chunk;
  const int *owner = b->w.owner + pair * b->w.chunks;
  const int32_t *row = own->row_of_slot;
  for (int64_t r = 0; r < s->rounds; r++) {
    int64_t first = r * per_round, end = first + per_round;
    while (first < end && owner[first] != b->rank) first++;
    while (first < end && owner[end - 1] != b->rank) end--;
    if (first == end) continue;
    for (int64_t i = (first - s->chunks_before) * s->chunk; i < (end + s->chunks_after) * s->chunk; i++, row++) {
      const int64_t slots = b->w.chunks * s->chunk, slot = ((i % slots) + slots) % slots;
      check(b, own->position[*row] == b->w.token_of_slot[pair * slots + slot]);
      check(b, *row < own->n_own || owner[slot / s->chunk] != b->rank);
    }
  }
}

static void check_rows(fixture *b, int64_t pair) {
  const rf_exchange_shape *s = &b->w.shape;
  const rf_exchange_pair *own = rf_exchange_pair_of(b->x, pair);
  int64_t row = 0;
  for (int halo = 0; halo < 2; halo++) {
    for (int64_t t = 0; t < s->tokens; t++) {
      const bool owner = whole_needs(&b->w, b->rank, pair, t, false);
      if (!(halo ? !owner && whole_needs(&b->w, b->rank, pair, t, true) : owner)) continue;
      check(b, row < own->n_rows && own->position[row] == t);
      check(b, own->mask[row] == b->w.mask[pair * s->tokens + t]);
      for (int64_t r = 0; s->rounds_travel && r < s->rounds; r++) {
        const int64_t item = (pair * s->rounds + r) * s->tokens + t;
        check(b, own->chunk_in_round[r * own->n_rows + row] == b->w.slot_of_item[item] / s->chunk);
        check(b, own->bucket_in_round[r * own->n_rows + row] == (int32_t)(r * s->n_buckets + b->w.bucket[item]));
      }
      row++;
    }
    if (!halo) check(b, own->n_own == row);
  }
  check(b, own->n_rows == row);
  check(b, s->rounds_travel || (!own->chunk_in_round && !own->bucket_in_round));
}

static void check_plan(fixture *b) {
  int64_t rows = 0;
  for (int64_t p = 0; p < b->w.shape.pairs; p++) {
    check_slots(b, p);
    check_rows(b, p);
    rows += rf_exchange_pair_of(b->x, p)->n_rows;
  }
  check(b, rf_exchange_rows(b->x) == rows);
  check(b, rf_exchange_memory_used(b->x) > 0);
}

static void check_plans(rf_mesh *mesh) { for_every_case(mesh, check_plan); }

static void test_slots_and_rows_are_those_of_a_serial_sort(void **state) {
  (void)state;
  on_every_mesh(check_plans);
}

static void check_both_histograms(rf_mesh *mesh) {
  for (int i = 0; i < EXCHANGE_CASES; i++)
    for (int kind = RF_HISTOGRAM_DENSE; kind <= RF_HISTOGRAM_SPARSE; kind++) {
      fixture b = begin(mesh, &exchange_cases[i], cuts[i % CUTS], (rf_histogram)kind, false);
      check_plan(&b);
      end(&b);
    }
}

static void test_sparse_and_dense_histograms_give_the_same_slots(void **state) {
  (void)state;
  on_every_mesh(check_both_histograms);
}

/* --- What it costs ------------------------------------------------------------------------------- */

/* Distinct (pair, token, other rank), by looking at every one of them. */
static rf_exchange_counts count_rows(fixture *b) {
  const rf_exchange_shape *s = &b->w.shape;
  rf_exchange_counts n = {0};
  for (int64_t p = 0; p < s->pairs; p++)
    for (int64_t t = 0; t < s->tokens; t++) {
      const int home = (int)rf_span_owner(s->tokens, b->ranks, t);
      int64_t owners = 0;
      for (int r = 0; r < b->ranks; r++) {
        if (r == home || (r != b->rank && home != b->rank)) continue;
        const bool own = whole_needs(&b->w, r, p, t, false);
        const bool halo = !own && whole_needs(&b->w, r, p, t, true);
        owners += own;
        if (home == b->rank) {
          n.own_sent += own;
          n.halo_sent += halo;
        } else {
          n.own_received += own;
          n.halo_received += halo;
        }
      }
      if (home == b->rank) check(b, owners <= s->rounds && owners <= b->ranks - 1);
    }
  return n;
}

static void check_costs_of(rf_mesh *mesh, const exchange_case *c, cut how, rf_histogram histogram) {
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  const int operations = mesh->groups[RF_SCOPE_SEQUENCE].next_tag; /* each takes one */
  rf_traffic_reset(mesh);
  fixture b = begin(mesh, c, how, histogram, c->shape.pairs % 2 == 0);
  const rf_exchange_shape *s = &b.w.shape;
  const rf_exchange_expectation planned = rf_exchange_expect(s, b.ranks, b.rank, b.w.bytes);
  check(&b, (operations + planned.exchanges) % mesh->tags == mesh->groups[RF_SCOPE_SEQUENCE].next_tag);
  rf_traffic_read(mesh, bytes);
  const rf_exchange_counts n = rf_exchange_count(b.x), expected = count_rows(&b);
  check(&b, memcmp(&n, &expected, sizeof n) == 0);
  const int64_t record = 4 + 4 * s->rounds + (s->rounds_travel ? (s->rounds * b.w.bytes + 3) / 4 * 4 : 0);
  const int64_t counts = 8 * s->pairs * (b.ranks - 1);
  check(&b, bytes[RF_TRAFFIC_PLAN] == counts + record * (n.own_sent + n.halo_sent));
  check(&b, bytes[RF_TRAFFIC_ROWS] == 0 && bytes[RF_TRAFFIC_HALO] == 0);

  /* the simulation gives the sums over ranks, and the most */
  int64_t sums[] = {n.own_sent, n.halo_sent, bytes[RF_TRAFFIC_PLAN], bytes[RF_TRAFFIC_HISTOGRAM]};
  sum_over_ranks(&b, 4, sums);
  double most[] = {(double)n.own_sent, (double)n.own_received, (double)n.halo_received, (double)rf_exchange_rows(b.x)};
  assert_ok(rf_max_doubles(mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, 4, most));
  const void **buckets = NEW(const void *, s->pairs);
  for (int64_t p = 0; p < s->pairs; p++) buckets[p] = b.w.bucket + p * s->rounds * s->tokens;
  rf_exchange_simulation simulated = {0};
  assert_ok(rf_exchange_simulate(s, b.ranks, 4, buckets, scratch, &simulated));
  check(&b, simulated.most_rows_of_token <= s->rounds && simulated.most_rows_of_token <= b.ranks - 1);
  check(&b, simulated.rows == sums[0] && simulated.halo_rows == sums[1] && simulated.histogram_bytes == sums[3]);
  const int64_t all_counts = 8 * s->pairs * b.ranks * (b.ranks - 1);
  check(&b, all_counts + record * (simulated.rows + simulated.halo_rows) == sums[2]);
  check(&b, simulated.most_sent == (int64_t)most[0] && simulated.most_received == (int64_t)most[1]);
  check(&b, simulated.most_halo_received == (int64_t)most[2] && simulated.most_rows == (int64_t)most[3]);
  const rf_owners owners = rf_owners_of(s, b.ranks);
  check(&b, simulated.most_rows <= rf_owners_most_rows(&owners, s->pairs, (rf_pair_size){s->tokens, s->chunk}));
  free(buckets);
  end(&b);
}

static void check_costs(rf_mesh *mesh) {
  for (int i = 0; i < EXCHANGE_CASES; i++)
    for (int kind = RF_HISTOGRAM_AUTO; kind <= RF_HISTOGRAM_SPARSE; kind++)
      for (int k = 0; k < CUTS; k++) check_costs_of(mesh, &exchange_cases[i], cuts[k], (rf_histogram)kind);
}

static void test_bytes_are_those_of_distinct_token_and_owner_pairs(void **state) {
  (void)state;
  on_every_mesh(check_costs);
}

/* --- What it takes ------------------------------------------------------------------------------- */

/* Buckets of all rounds of the one pair that any token is in. */
static int64_t buckets_met(const fixture *b) {
  const int64_t tokens = b->w.shape.tokens;
  int64_t met = 0;
  for (int64_t r = 0; r < b->w.shape.rounds; r++)
    for (int64_t t = 0; t < tokens; t++) {
      const uint32_t *bucket = b->w.bucket + r * tokens;
      int64_t first = 0;
      while (bucket[first] != bucket[t]) first++;
      met += first == t;
    }
  return met;
}

/* The rows of a case's one pair, as if they had been expected. */
static rf_exchange_expectation known_rows(const fixture *b) {
  const rf_exchange_counts n = rf_exchange_count(b->x);
  const rf_exchange_pair *pair = rf_exchange_pair_of(b->x, 0);
  return (rf_exchange_expectation){.entries = (double)buckets_met(b),
                                   .own_sent = (double)n.own_sent,
                                   .halo_sent = (double)n.halo_sent,
                                   .own_received = (double)n.own_received,
                                   .halo_received = (double)n.halo_received,
                                   .own_home = (double)(pair->n_own - n.own_received),
                                   .halo_home = (double)(pair->n_rows - pair->n_own - n.halo_received)};
}

static void check_footprint_of_moves(fixture *b, const rf_exchange_expectation *known, rf_arena *counting) {
  const int64_t widths[] = {3, 1, 1};
  for (int kind = RF_SCATTER; kind <= RF_GATHER_MERGE; kind++) {
    const rf_exchange_rows_kind rows = kind == RF_GATHER_MERGE ? RF_ROWS_OWN : RF_ROWS_ALL;
    const rf_mark mark = rf_arena_mark(plans), counted = rf_arena_mark(counting);
    rf_exchange_field fields[3];
    rf_exchange_move *move;
    real *tokens[3], *at_owner[3];
    for (int f = 0; f < 3; f++) {
      tokens[f] = NEW(real, b->home.count * widths[f]);
      at_owner[f] = NEW(real, rf_exchange_rows(b->x) * widths[f]);
      fields[f] = (rf_exchange_field){widths[f], &tokens[f], widths[f], &at_owner[f], widths[f]};
    }
    assert_ok(rf_exchange_start(b->x, (rf_exchange_kind)kind, rows, 3, fields, plans, &move));
    const size_t taken = rf_arena_mark(plans) - mark;
    assert_ok(rf_exchange_finish(move));
    assert_ok(
        rf_exchange_move_footprint(&b->w.shape, b->ranks, (rf_exchange_kind)kind, rows, 3, widths, known, counting));
    check(b, rf_arena_mark(counting) - counted == taken);
    rf_arena_release(plans, mark);
    rf_arena_release(counting, counted);
    for (int f = 0; f < 3; f++) {
      free(tokens[f]);
      free(at_owner[f]);
    }
  }
}

static void check_footprint_of(rf_mesh *mesh, const exchange_case *c, rf_histogram histogram, bool rounds_travel) {
  rf_arena *const shared = scratch, *counting[2];
  assert_ok(rf_arena_create("scratch of one plan", 0, &scratch));
  for (int i = 0; i < 2; i++) assert_ok(rf_arena_create_counting("counts", &counting[i]));
  const rf_mark empty = rf_arena_mark(counting[0]);
  fixture b = begin(mesh, c, cuts[0], histogram, rounds_travel);
  const rf_exchange_expectation known = known_rows(&b);
  assert_ok(rf_exchange_footprint(&b.w.shape, b.ranks, b.rank, b.w.bytes, &known, counting[0], counting[1]));
  check(&b, rf_arena_mark(counting[0]) - empty == rf_arena_mark(plans) - b.mark);
  check(&b, rf_arena_memory_used(counting[1]) == rf_arena_memory_used(scratch));
  check_footprint_of_moves(&b, &known, counting[0]);
  end(&b);
  rf_arena_destroy(scratch);
  for (int i = 0; i < 2; i++) rf_arena_destroy(counting[i]);
  scratch = shared;
}

static void check_footprints(rf_mesh *mesh) {
  for (int i = 0; i < EXCHANGE_CASES; i++) {
    if (exchange_cases[i].shape.pairs != 1) continue;
    check_footprint_of(mesh, &exchange_cases[i], RF_HISTOGRAM_DENSE, i % 2 == 0);
    /* of several ranks each asks for, and is asked for, entries of its own */
    if (rf_mesh_sequence_size(mesh) == 1) check_footprint_of(mesh, &exchange_cases[i], RF_HISTOGRAM_SPARSE, i % 2 == 0);
  }
}

static void test_a_footprint_takes_what_a_plan_and_its_moves_take(void **state) {
  (void)state;
  on_every_mesh(check_footprints);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_slots_and_rows_are_those_of_a_serial_sort),
    cmocka_unit_test(test_sparse_and_dense_histograms_give_the_same_slots),
    cmocka_unit_test(test_bytes_are_those_of_distinct_token_and_owner_pairs),
    cmocka_unit_test(test_a_footprint_takes_what_a_plan_and_its_moves_take),
};

int main(int argc, char **argv) { return exchange_tests_run(&argc, &argv, tests, sizeof tests / sizeof *tests); }
