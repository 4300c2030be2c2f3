/* Who owns which chunk, against dealing a row of chunks out one by one. */
#include "comm/owners.h"
#include "support/numbers.h"

enum { RANKS = 12, PAIRS = 7, ROUNDS = 5, CHUNKS = 9 };

/* owner[pair][round][chunk], dealt out to the parts of all ranks in the order pair, chunk, round; -1: another part. */
static void deal(const rf_owners *o, int owner[PAIRS][ROUNDS][CHUNKS]) {
  const int64_t all = o->together * rf_owners_chunks(o), parts = o->ranks * o->parts;
  int64_t at = 0, part = 0;
  for (int64_t p = 0; p < o->together; p++)
    for (int64_t c = 0; c < o->per_round; c++)
      for (int64_t r = 0; r < o->rounds; r++, at++) {
        while (at >= (part + 1) * all / parts) part++;
        owner[p][r][c] = part % o->parts == o->part ? (int)(part / o->parts) : -1;
      }
}

static void check_owners(const rf_owners *o) {
  int owner[PAIRS][ROUNDS][CHUNKS];
  deal(o, owner);
  for (int rank = 0; rank < o->ranks; rank++) {
    int64_t owned = 0;
    for (int64_t p = 0; p < o->together; p++) {
      int64_t seen = 0;
      for (int64_t r = 0; r < o->rounds; r++) {
        const rf_span s = rf_owners_stretch(o, rank, p, r);
        assert_int_equal(rf_owners_seen_before(o, rank, p, r), seen);
        seen += s.count > 0 ? o->before + s.count + o->after : 0;
        owned += s.count;
        for (int64_t c = 0; c < o->per_round; c++) {
          const bool own = c >= s.first && c < s.first + s.count;
          assert_int_equal(own, owner[p][r][c] == rank);
          if (own) assert_int_equal(rf_owner_of(o, rf_owners_number(o, p, r, c)), rank);
          /* pairs of the next row are cut alike */
          assert_int_equal(rf_owners_number(o, p + o->together, r, c), rf_owners_number(o, p, r, c));
        }
      }
      assert_int_equal(rf_owners_seen(o, rank, p), seen);
    }
    const int64_t all = o->together * rf_owners_chunks(o), parts = o->ranks * o->parts;
    assert_true(owned == all / parts || owned == (all + parts - 1) / parts);
  }
}

static void test_stretches_are_what_was_dealt_out(void **state) {
  (void)state;
  for (int ranks = 1; ranks <= RANKS; ranks++)
    for (int64_t together = 1; together <= PAIRS; together++)
      for (int64_t rounds = 1; rounds <= ROUNDS; rounds++)
        for (int64_t chunks = 1; chunks <= CHUNKS; chunks++)
          for (int64_t part = 0; part < 3; part++) {
            const rf_owners o = {.ranks = ranks,
                                 .together = together,
                                 .parts = part + 1,
                                 .part = (part * 5 + ranks) % (part + 1),
                                 .rounds = rounds,
                                 .per_round = chunks,
                                 .before = 1,
                                 .after = 1};
            check_owners(&o);
          }
}

/* Whatever the buckets are: a token's row is at a rank at most once, and so is that of a slot that is seen. */
static void test_no_rank_has_more_rows_than_the_bound(void **state) {
  (void)state;
  enum { CHUNK = 3 };
  for (int ranks = 1; ranks <= RANKS; ranks++)
    for (int64_t together = 1; together <= PAIRS; together++)
      for (int64_t rounds = 1; rounds <= ROUNDS; rounds++)
        for (int64_t after = 0; after < 3; after++) {
          const rf_owners o = {.ranks = ranks,
                               .together = together,
                               .parts = 1 + after,
                               .part = after,
                               .rounds = rounds,
                               .per_round = CHUNKS,
                               .before = 1,
                               .after = after};
          const int64_t tokens = CHUNKS * CHUNK;
          int64_t most = 0;
          for (int rank = 0; rank < ranks; rank++) {
            int64_t rows = 0;
            for (int64_t p = 0; p < together; p++) {
              const int64_t slots = rf_owners_seen(&o, rank, p) * CHUNK;
              rows += slots < tokens ? slots : tokens;
            }
            most = rows > most ? rows : most;
          }
          assert_true(rf_owners_most_rows(&o, 2 * together, (rf_pair_size){tokens, CHUNK}) >= 2 * most);
          if (together % (ranks * o.parts) == 0)
            assert_int_equal(rf_owners_most_rows(&o, together, (rf_pair_size){tokens, CHUNK}), most);
        }
}

/* Owners of a token and head that are not its home, expected over random buckets, by ranks and pairs; one pair: r = (S
 * - 1) (1 - (1 - 1 / S)^R). Ulysses, which spreads heads, has (S - 1) / S. */
static void test_rows_go_to_fewer_owners_the_more_pairs_are_cut_together(void **state) {
  (void)state;
  static const struct {
    int64_t rounds;
    int ranks;
    int64_t together;
    double owners;
  } table[] = {{4, 2, 1, 0.94},   {4, 4, 1, 2.05},     {4, 8, 1, 2.90},   {8, 8, 1, 4.59},   {4, 2, 2, 0.50},
               {4, 4, 4, 0.75},   {4, 8, 4, 1.64},     {4, 16, 4, 2.56},  {4, 16, 8, 1.76},  {4, 16, 16, 0.94},
               {4, 64, 4, 3.58},  {4, 64, 8, 3.26},    {4, 64, 16, 2.69}, {4, 64, 64, 0.98}, {2, 16, 4, 1.64},
               {8, 64, 16, 3.54}, {4, 1024, 64, 3.64}, {4, 3, 4, 0.93}};
  for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
    const rf_owners o = {.ranks = table[i].ranks,
                         .together = table[i].together,
                         .parts = 1,
                         .rounds = table[i].rounds,
                         .per_round = 1 << 14,
                         .before = 1};
    const double owners = rf_owners_expected(&o);
    if (!(fabs(owners - table[i].owners) < 0.012))
      fail_msg("%lld rounds, %d ranks, %lld pairs together: %.3f owners, wanted %.2f", (long long)o.rounds, o.ranks,
               (long long)o.together, owners, table[i].owners);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_stretches_are_what_was_dealt_out),
      cmocka_unit_test(test_no_rank_has_more_rows_than_the_bound),
      cmocka_unit_test(test_rows_go_to_fewer_owners_the_more_pairs_are_cut_together),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
