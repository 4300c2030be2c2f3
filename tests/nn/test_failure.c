/* A sublayer that finds no memory fails, and time goes on counting for the phase that called it. */
#include "support/small_config.h"
#include "support/sublayer_case.h"

/* In more and more memory the sublayer fails at each of its takes, until there is enough. */
static void check_phase(const rf_sublayer_ops *ops, bool reverse) {
  static const uint32_t sequence[] = {0};
  dice d = {.seed = 71};
  rf_config config = small_config();
  rf_phases phases;
  rf_phases_reset(&phases);
  (void)rf_phase_enter(&phases, RF_PHASE_OPTIMIZER);
  const rf_call call = {.sequences = 1, .tokens = 16, .sequence = sequence, .training = true, .phases = &phases};
  sublayer_case *c = sublayer_case_create(&config, ops, &call);
  const int64_t n = (int64_t)c->values;
  real *x = dice_reals(&d, n, 1), *dy = dice_reals(&d, n, 1), *y = NEW(real, n), *dx = NEW(real, n);
  real *dparams = NEW(real, c->block.size);
  sublayer_case_randomise(c, &d, 1);
  assert_ok(ops->apply(&c->sublayer, &c->call, c->params, x, 1, y, c->saved));
  int failures = 0;
  rf_status status = RF_FAILED;
  for (size_t limit = 1 << 10; status != RF_OK; limit += limit / 16) {
    const rf_sublayer_vjp task = {c->params, x, dy, y, dx, dparams, c->saved};
    rf_call own = c->call;
    assert_ok(rf_arena_create("too little", limit, &own.scratch));
    status = reverse ? ops->apply_vjp(&c->sublayer, &own, &task)
                     : ops->apply(&c->sublayer, &own, c->params, x, 1, y, c->saved);
    rf_arena_destroy(own.scratch);
    assert_int_equal(phases.current, RF_PHASE_OPTIMIZER);
    failures += status != RF_OK;
  }
  assert_true(failures > 4);
  real *all[] = {x, dy, y, dx, dparams};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++) free(all[i]);
  sublayer_case_destroy(c);
}

static void test_a_sublayer_that_fails_leaves_its_phase(void **state) {
  (void)state;
  const rf_sublayer_ops *const kinds[] = {&rf_feed_forward_ops, &rf_lsh_attention_ops, &rf_full_attention_ops};
  for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
    check_phase(kinds[i], false);
    check_phase(kinds[i], true);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_sublayer_that_fails_leaves_its_phase)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
