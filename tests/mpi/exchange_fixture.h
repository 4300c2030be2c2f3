/* A case on a mesh, with its plan, and the loops over all of them. */
#ifndef TESTS_MPI_EXCHANGE_FIXTURE_H
#define TESTS_MPI_EXCHANGE_FIXTURE_H

#include "mpi/exchange_case.h"

#define SEED UINT64_C(20260)

static rf_arena *plans, *scratch; /* of the program's tests */

static inline int set_up(void **state) {
  (void)state;
  assert_ok(rf_arena_create("plans", 0, &plans));
  assert_ok(rf_arena_create("scratch", 0, &scratch));
  return 0;
}

static inline int tear_down(void **state) {
  (void)state;
  rf_arena_destroy(plans);
  rf_arena_destroy(scratch);
  return 0;
}

/* One case on one mesh, with its plan. */
typedef struct fixture {
  rf_mesh *mesh;
  const char *name;
  whole w;
  rf_exchange *x;
  rf_mark mark;
  int ranks, rank;
  rf_span home;
} fixture;

#define check(b, condition)                                                                                            \
  do {                                                                                                                 \
    if (!(condition))                                                                                                  \
      fail_msg("case '%s', seed %llu, rank %d of %d: %s", (b)->name, (unsigned long long)SEED, (b)->rank, (b)->ranks,  \
               #condition);                                                                                            \
  } while (0)

static inline fixture begin(rf_mesh *mesh, const exchange_case *c, cut how, rf_histogram histogram,
                            bool rounds_travel) {
  fixture b = {.mesh = mesh, .name = c->name, .w = whole_make(mesh, c, how, SEED), .mark = rf_arena_mark(plans)};
  b.w.shape.histogram = histogram;
  b.w.shape.rounds_travel = rounds_travel;
  b.ranks = rf_mesh_sequence_size(mesh);
  b.rank = rf_mesh_sequence_rank(mesh);
  b.home = rf_exchange_home(mesh, &b.w.shape);
  const rf_exchange_tokens tokens = whole_tokens(&b.w, c->skew == PADDED_TAIL || c->skew == ALL_BUT_ONE_PAD);
  arrive_late(mesh, (int)c->shape.tokens);
  assert_ok(rf_exchange_create(mesh, &b.w.shape, &tokens, plans, scratch, &b.x));
  check(&b, rf_exchange_is_valid(b.x));
  return b;
}

static inline void end(fixture *b) {
  rf_arena_release(plans, b->mark);
  whole_free(&b->w);
}

static inline void for_every_case(rf_mesh *mesh, void (*body)(fixture *b)) {
  for (int i = 0; i < EXCHANGE_CASES; i++)
    for (int k = 0; k < CUTS; k++) {
      if (cuts[k].together && exchange_cases[i].shape.pairs == 1) continue;
      fixture b = begin(mesh, &exchange_cases[i], cuts[k], RF_HISTOGRAM_AUTO, (i + k) % 2 == 0);
      body(&b);
      end(&b);
    }
}

static inline void sum_over_ranks(fixture *b, int64_t n, int64_t *values) {
  assert_ok(rf_sum_integers(b->mesh, RF_SCOPE_SEQUENCE, RF_TRAFFIC_OTHER, n, values));
}

static inline int exchange_tests_run(int *argc, char ***argv, const struct CMUnitTest *tests, size_t n) {
  int failed = rf_mpi_start(argc, argv) != RF_OK;
  if (failed) (void)fprintf(stderr, "%s\n", rf_error_message());
  if (!failed) failed = _cmocka_run_group_tests("exchange", tests, n, set_up, tear_down);
  rf_mpi_finish();
  return failed != 0;
}

#endif
