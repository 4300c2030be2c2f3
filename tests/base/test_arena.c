#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "reformer/arena.h"

#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#ifdef RF_SANITIZE
#include <sanitizer/asan_interface.h>
#endif

static rf_arena *new_arena(size_t limit) {
  rf_arena *arena;
  assert_int_equal(rf_arena_create("test", limit, &arena), RF_OK);
  return arena;
}

static void test_allocations_are_aligned_and_do_not_overlap(void **state) {
  (void)state;
  rf_arena *arena = new_arena(0);
  enum { N = 200 };
  unsigned char *p[N];
  for (size_t i = 0; i < N; i++) {
    assert_int_equal(rf_arena_take(arena, i, 7, &p[i]), RF_OK);
    assert_non_null(p[i]);
    assert_int_equal((uintptr_t)p[i] % 64, 0);
    memset(p[i], (int)i, i * 7);
  }
  for (size_t i = 0; i < N; i++)
    for (size_t j = 0; j < i * 7; j++) assert_int_equal(p[i][j], i);
  rf_arena_destroy(arena);
}

static void test_a_released_scope_is_given_out_again(void **state) {
  (void)state;
  rf_arena *arena = new_arena(0);
  double *kept, *inner, *again;
  assert_int_equal(rf_arena_take(arena, 10, sizeof *kept, &kept), RF_OK);
  for (int i = 0; i < 10; i++) kept[i] = i;
  rf_mark outer_mark = rf_arena_mark(arena);
  assert_int_equal(rf_arena_take(arena, 100, sizeof *inner, &inner), RF_OK);
  rf_mark inner_mark = rf_arena_mark(arena);
  assert_int_equal(rf_arena_take(arena, 1000, sizeof *again, &again), RF_OK);
  rf_arena_release(arena, inner_mark);
  inner[99] = 1; /* the outer scope is still alive */
  rf_arena_release(arena, outer_mark);
  assert_int_equal(rf_arena_take(arena, 1000, sizeof *again, &again), RF_OK);
  assert_ptr_equal(again, inner);
  for (int i = 0; i < 10; i++) assert_true(kept[i] == i);
  rf_arena_destroy(arena);
}

static void test_a_repeated_step_grows_nothing(void **state) {
  (void)state;
  rf_arena *arena = new_arena(0);
  size_t used = 0, growths = 0;
  for (int step = 0; step < 3; step++) {
    rf_mark mark = rf_arena_mark(arena);
    char *p;
    assert_int_equal(rf_arena_take(arena, 100, 1 << 20, &p), RF_OK);
    p[0] = p[(100 << 20) - 1] = 1;
    rf_arena_release(arena, mark);
    if (step == 0) {
      used = rf_arena_memory_used(arena);
      growths = rf_arena_growths(arena);
      assert_in_range(used, 100 << 20, (100 << 20) + 256);
      assert_int_equal(growths, 1);
    }
    assert_int_equal(rf_arena_memory_used(arena), used);
    assert_int_equal(rf_arena_growths(arena), growths);
  }
  char *more;
  assert_int_equal(rf_arena_take(arena, 200, 1 << 20, &more), RF_OK);
  assert_int_equal(rf_arena_growths(arena), growths + 1);
  rf_arena_destroy(arena);
}

static void test_pointers_do_not_move_when_the_arena_grows(void **state) {
  (void)state;
  rf_arena *arena = new_arena(0);
  char *first, *next;
  assert_int_equal(rf_arena_take(arena, 1, 1 << 20, &first), RF_OK);
  first[12345] = 42;
  for (int i = 0; i < 8; i++) {
    assert_int_equal(rf_arena_take(arena, 1, 50 << 20, &next), RF_OK);
    next[(50 << 20) - 1] = 1;
  }
  assert_int_equal(first[12345], 42);
  rf_arena_destroy(arena);
}

static void test_zeroed_memory_is_zero_even_when_reused(void **state) {
  (void)state;
  rf_arena *arena = new_arena(0);
  rf_mark mark = rf_arena_mark(arena);
  unsigned char *p;
  assert_int_equal(rf_arena_take(arena, 1000, 1, &p), RF_OK);
  for (int i = 0; i < 1000; i++) assert_int_equal(p[i], 0); /* a fresh page */
  memset(p, 0xff, 1000);
  rf_arena_release(arena, mark);
  assert_int_equal(rf_arena_take_zero(arena, 1000, 1, &p), RF_OK);
  for (int i = 0; i < 1000; i++) assert_int_equal(p[i], 0);
  rf_arena_destroy(arena);
}

static void test_the_limit_is_kept_and_named(void **state) {
  (void)state;
  rf_arena *arena = new_arena(10000);
  char *p;
  assert_int_equal(rf_arena_take(arena, 5000, 1, &p), RF_OK);
  assert_int_equal(rf_arena_take(arena, 3000, 2, &p), RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "test"));
  assert_non_null(strstr(rf_error_message(), "6000"));
  assert_non_null(strstr(rf_error_message(), "10000"));
  assert_int_equal(rf_arena_take(arena, 4000, 1, &p), RF_OK); /* a refusal costs nothing */
  rf_arena_destroy(arena);
}

static void test_sizes_that_overflow_are_refused(void **state) {
  (void)state;
  rf_arena *arena = new_arena(0);
  char *p;
  assert_int_equal(rf_arena_take(arena, SIZE_MAX / 2, 3, &p), RF_FAILED);
  assert_int_equal(rf_arena_take(arena, SIZE_MAX, 1, &p), RF_FAILED);
  assert_int_equal(rf_arena_take(arena, (SIZE_MAX >> 4) + 2, 16, &p), RF_FAILED); /* wraps to 16 */
  assert_int_equal(rf_arena_take(arena, SIZE_MAX / 2, 1, &p), RF_FAILED);
  assert_int_equal(rf_arena_take(arena, 16, 1, &p), RF_OK);
  rf_arena_destroy(arena);
}

static void test_several_large_arenas_live_side_by_side(void **state) {
  (void)state;
  rf_arena *arenas[8];
  for (int i = 0; i < 8; i++) {
    arenas[i] = new_arena(0);
    char *p;
    assert_int_equal(rf_arena_take_zero(arenas[i], 1 << 20, 1, &p), RF_OK);
  }
  for (int i = 0; i < 8; i++) rf_arena_destroy(arenas[i]);
}

#ifdef RF_SANITIZE

static void test_overruns_and_stale_pointers_are_poisoned(void **state) {
  (void)state;
  rf_arena *arena = new_arena(0);
  char *a, *b;
  assert_int_equal(rf_arena_take(arena, 100, 1, &a), RF_OK);
  rf_mark mark = rf_arena_mark(arena);
  assert_int_equal(rf_arena_take(arena, 128, 1, &b), RF_OK);
  assert_null(__asan_region_is_poisoned(a, 100));
  assert_null(__asan_region_is_poisoned(b, 128));
  assert_true(__asan_address_is_poisoned(a - 1));
  for (int i = 0; i < 64; i++) {
    assert_true(__asan_address_is_poisoned(a + 100 + i));
    assert_true(__asan_address_is_poisoned(b + 128 + i));
  }
  rf_arena_release(arena, mark);
  for (int i = 0; i < 128; i++) assert_true(__asan_address_is_poisoned(b + i));
  assert_null(__asan_region_is_poisoned(a, 100));
  rf_arena_destroy(arena);
}

#else /* the sanitizer's own shadow memory does not fit under a limited address space */

/* Exit status 0 when an arena without a limit works in `bytes` of address space and fails tidily beyond. */
static int run_in_address_space(size_t bytes) {
  pid_t child = fork();
  if (child == 0) {
    struct rlimit space = {bytes, bytes};
    rf_arena *arena;
    char *p;
    if (setrlimit(RLIMIT_AS, &space) != 0) _exit(10);
    if (rf_arena_create("tight", 0, &arena) != RF_OK) _exit(11);
    if (rf_arena_take(arena, 32, 1 << 20, &p) != RF_OK) _exit(12);
    memset(p, 1, 32 << 20);
    if (rf_arena_take(arena, bytes, 1, &p) != RF_FAILED) _exit(13);
    if (!strstr(rf_error_message(), "tight")) _exit(14);
    void *other = malloc(bytes / 4); /* room is left for others */
    if (!other) _exit(15);
    free(other);
    rf_arena_destroy(arena);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/* Exit status 0 when that many arenas without a limit have room for a little side by side. */
static int run_side_by_side(size_t bytes, int arenas) {
  pid_t child = fork();
  if (child == 0) {
    struct rlimit space = {bytes, bytes};
    rf_arena *arena;
    char *p;
    if (setrlimit(RLIMIT_AS, &space) != 0) _exit(10);
    for (int i = 0; i < arenas; i++)
      if (rf_arena_create("one of many", 0, &arena) != RF_OK || rf_arena_take(arena, 1000, 1, &p) != RF_OK) _exit(11);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(child, &status, 0), child);
  assert_true(WIFEXITED(status));
  return WEXITSTATUS(status);
}

/* As many as a process has arenas with 100 sessions, and room for everything else beside them. A machine of more memory
 * gives each arena more. */
static void test_a_process_has_room_for_hundreds_of_arenas(void **state) {
  (void)state;
  enum { MANY = 700, MOST_GIGABYTES = 64 };
  static rf_arena *arenas[MANY];
  const size_t room = (size_t)1 << 40;
  if (sysconf(_SC_PHYS_PAGES) > MOST_GIGABYTES * ((1 << 30) / sysconf(_SC_PAGESIZE))) skip();
  for (int i = 0; i < MANY; i++) arenas[i] = new_arena(0);
  void *other = mmap(NULL, room, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  assert_true(other != MAP_FAILED);
  assert_int_equal(munmap(other, room), 0);
  for (int i = 0; i < MANY; i++) rf_arena_destroy(arenas[i]);
}

/* What to do is told by what is short. */
static void test_where_no_address_space_is_left_the_message_says_what_helps(void **state) {
  (void)state;
  static struct {
    void *at;
    size_t bytes;
  } taken[4096];
  int n = 0;
  rf_arena *arena;
  for (size_t bytes = (size_t)1 << 46; bytes >= (size_t)64 << 20; bytes /= 2)
    for (; n < 4096; n++) {
      taken[n].bytes = bytes;
      taken[n].at = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
      if (taken[n].at == MAP_FAILED) break;
    }
  const rf_status status = rf_arena_create("one too many", 0, &arena);
  while (n > 0) {
    n--;
    assert_int_equal(munmap(taken[n].at, taken[n].bytes), 0);
  }
  assert_int_equal(status, RF_FAILED);
  assert_non_null(strstr(rf_error_message(), "end sessions and models"));
  assert_null(strstr(rf_error_message(), "ulimit"));
}

static void test_a_limited_address_space_is_respected(void **state) {
  (void)state;
  assert_int_equal(run_side_by_side((size_t)4 << 30, 12), 0);
  assert_int_equal(run_in_address_space((size_t)4 << 30), 0);
  assert_int_equal(run_in_address_space((size_t)512 << 20), 0);
}

#endif

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_allocations_are_aligned_and_do_not_overlap),
      cmocka_unit_test(test_a_released_scope_is_given_out_again),
      cmocka_unit_test(test_a_repeated_step_grows_nothing),
      cmocka_unit_test(test_pointers_do_not_move_when_the_arena_grows),
      cmocka_unit_test(test_zeroed_memory_is_zero_even_when_reused),
      cmocka_unit_test(test_the_limit_is_kept_and_named),
      cmocka_unit_test(test_sizes_that_overflow_are_refused),
      cmocka_unit_test(test_several_large_arenas_live_side_by_side),
#ifdef RF_SANITIZE
      cmocka_unit_test(test_overruns_and_stale_pointers_are_poisoned),
#else
      cmocka_unit_test(test_a_process_has_room_for_hundreds_of_arenas),
      cmocka_unit_test(test_where_no_address_space_is_left_the_message_says_what_helps),
      cmocka_unit_test(test_a_limited_address_space_is_respected),
#endif
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
