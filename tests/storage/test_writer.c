/* A job is done once, on a thread of its own or by its caller. */
#define _GNU_SOURCE
#include "storage/writer.h"
#include "support/numbers.h"
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>

/* In the C library's place: how many of the next calls still succeed; below 0: all. */
static int masks_left = -1;
int pthread_sigmask(int how, const sigset_t *set, sigset_t *old) {
  int (*next)(int, const sigset_t *, sigset_t *);
  *(void **)&next = dlsym(RTLD_NEXT, "pthread_sigmask");
  if (masks_left == 0) return EINVAL;
  if (masks_left > 0) masks_left--;
  return next(how, set, old);
}

typedef struct job {
  atomic_int times;
  rf_status status;
  pthread_t by;
} job;

static rf_status work(void *context) {
  job *j = context;
  atomic_fetch_add(&j->times, 1);
  j->by = pthread_self();
  return j->status == RF_OK ? RF_OK : rf_fail(j->status, "the job's own words");
}

static void test_a_job_is_done_once_and_its_status_is_the_ends(void **state) {
  (void)state;
  for (int aside = 0; aside < 2; aside++) {
    rf_writer writer;
    job good = {.status = RF_OK}, bad = {.status = RF_BAD_DATA};
    rf_writer_start(&writer, aside, work, &good);
    assert_true(aside || rf_writer_is_done(&writer));
    assert_int_equal(rf_writer_end(&writer), RF_OK);
    assert_int_equal(good.times, 1);
    assert_true(!aside == (pthread_equal(good.by, pthread_self()) != 0));
    rf_writer_start(&writer, aside, work, &bad);
    assert_int_equal(rf_writer_end(&writer), RF_BAD_DATA);
    assert_string_equal(rf_error_message(), "the job's own words");
    assert_int_equal(bad.times, 1);
    assert_true(rf_writer_is_done(&writer));
    assert_int_equal(rf_writer_end(&writer), RF_OK); /* nothing is under way */
  }
}

/* Where signals cannot be kept away no thread is made; where they cannot be let in again there is one already. */
static void test_a_job_is_done_once_whichever_call_fails(void **state) {
  (void)state;
  for (int left = 0; left < 2; left++) {
    rf_writer writer;
    job one = {.status = RF_OK};
    masks_left = left;
    rf_writer_start(&writer, true, work, &one);
    masks_left = -1;
    assert_true(writer.has_thread == (left == 1));
    assert_int_equal(rf_writer_end(&writer), RF_OK);
    assert_int_equal(one.times, 1);
  }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(test_a_job_is_done_once_and_its_status_is_the_ends),
    cmocka_unit_test(test_a_job_is_done_once_whichever_call_fails),
};

int main(void) { return cmocka_run_group_tests(tests, NULL, NULL); }
