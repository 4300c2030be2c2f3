/* A pass that fails, because there is no more memory for what it takes, gives back all that it took before. */
#include "support/model_case.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

/* From FIRST to MOST sequences the first layer's attention has its plan, and finds no place for the keys that go around
 * its ring. */
enum { TOKENS = 32, FIRST = 4600 * 4 / (int)sizeof(real), MOST = 5000 * 4 / (int)sizeof(real), STEP = 200 };

static size_t address_space(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "r");
  if (!file) return 0;
  if (fscanf(file, "%zu", &pages) != 1) pages = 0;
  fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

/* Arenas that are made under a limit of address space stay small when it is gone. */
static model_case *case_in_little_memory(const rf_config *config) {
  struct rlimit before;
  assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
  struct rlimit little = before;
  little.rlim_cur = address_space() + ((size_t)640 << 20);
  if (setrlimit(RLIMIT_AS, &little) != 0) return NULL;
  void *beyond = mmap(NULL, (size_t)little.rlim_cur, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (beyond != MAP_FAILED) { /* an emulator may not hold its program to the limit */
    (void)munmap(beyond, (size_t)little.rlim_cur);
    (void)setrlimit(RLIMIT_AS, &before);
    return NULL;
  }
  model_case *c = model_case_create(config, MOST, TOKENS, false, 21);
  assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
  return c;
}

/* What a pass left behind would lie below what the next one takes, and raise the highest mark of the arenas. */
static void test_a_pass_that_fails_leaves_nothing_in_the_arenas(void **state) {
  (void)state;
#ifdef __SANITIZE_ADDRESS__
  skip(); /* its shadow needs more address space than the limit leaves */
#endif
  rf_config config = small_config();
  config.model.n_layers = 1;
  config.model.attention[0] = RF_ATTENTION_FULL;
  model_case *c = case_in_little_memory(&config);
  if (!c) skip();
  rf_loss loss = {0}, again = {0};
  rf_batch few = c->batch;
  few.sequences = 2;
  assert_ok(rf_model_evaluate(c->model, &few, &loss));
  for (int64_t n = FIRST; n <= MOST; n += STEP) {
    rf_batch batch = c->batch;
    rf_loss unused = {0};
    batch.sequences = n;
    assert_int_equal(rf_model_gradients(c->model, &batch, 1, &unused), RF_FAILED);
    const size_t used = rf_model_scratch_used(c->model);
    assert_int_equal(rf_model_gradients(c->model, &batch, 1, &unused), RF_FAILED);
    assert_int_equal(rf_model_scratch_used(c->model), used);
  }
  assert_ok(rf_model_evaluate(c->model, &few, &again));
  assert_memory_equal(&loss, &again, sizeof loss);
  model_case_destroy(c);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_pass_that_fails_leaves_nothing_in_the_arenas)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
