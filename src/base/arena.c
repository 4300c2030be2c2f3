#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* MAP_NORESERVE, madvise */
#endif
#include "reformer/arena.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#ifdef RF_SANITIZE
#include <sanitizer/asan_interface.h>
#define RF_POISON(p, n) ASAN_POISON_MEMORY_REGION(p, n)
#define RF_UNPOISON(p, n) ASAN_UNPOISON_MEMORY_REGION(p, n)
enum { REDZONE = 64 };
#else
#define RF_POISON(p, n) ((void)(p), (void)(n))
#define RF_UNPOISON(p, n) ((void)(p), (void)(n))
enum { REDZONE = 0 };
#endif

enum { ALIGNMENT = 64 };
#define HUGE_PAGE ((size_t)2 << 20)
#define COMMIT_STEP ((size_t)64 << 20) /* writable bytes grow by this much */
#define RESERVE_LEAST COMMIT_STEP
/* Where no limit is given: more than the machine could hold, and no more than that, as all arenas of a process, seven a
 * session, and whatever else it needs share 47 bits. */
#define RESERVE_USUAL ((size_t)64 << 30)
#define RESERVE_MOST ((size_t)1 << 40)

/*   base                top      committed                  reserved
 *   |== taken ==========|........|~~~~~~~~~~ PROT_NONE ~~~~~~|
 * With AddressSanitizer everything in [0, committed) that is not part of a live allocation is
 * poisoned, and a redzone stands before the first allocation and after every one. */
struct rf_arena {
  char name[64];
  bool counting;          /* no memory behind it: mapping and base are NULL */
  unsigned char *mapping; /* what mmap returned; base is its first huge-page boundary */
  size_t mapping_bytes;
  unsigned char *base;
  size_t reserved, committed, top, high_water;
  size_t limit; /* as given, or reserved */
  size_t growths;
};

static size_t round_up(size_t n, size_t step) { return (n + step - 1) / step * step; }

/* Bytes of address space that the process has; 0 where nothing says. */
static size_t space_taken(void) {
  size_t pages = 0;
  FILE *file = fopen("/proc/self/statm", "re");
  if (!file) return 0;
  if (fscanf(file, "%zu", &pages) != 1) pages = 0;
  (void)fclose(file);
  return pages * (size_t)sysconf(_SC_PAGESIZE);
}

static size_t usual_reserve(void) {
  struct sysinfo machine;
  if (sysinfo(&machine) != 0) return RESERVE_USUAL;
  const double twice = 2.0 * ((double)machine.totalram + (double)machine.totalswap) * machine.mem_unit;
  if (twice >= (double)RESERVE_MOST) return RESERVE_MOST;
  return twice > (double)RESERVE_USUAL ? round_up((size_t)twice, COMMIT_STEP) : RESERVE_USUAL;
}

/* Address space to ask for first. Under `ulimit -v` an arena leaves most of what is left to others, and to the next
 * arenas: a model has several, and programs have several models. */
static size_t first_reserve(size_t limit) {
  size_t want = limit == 0 ? usual_reserve() : limit > RESERVE_MOST ? RESERVE_MOST : round_up(limit, COMMIT_STEP);
  struct rlimit space;
  if (getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY) {
    const size_t all = (size_t)space.rlim_cur, taken = space_taken(), left = all > taken ? all - taken : 0;
    size_t share = left / 4 / COMMIT_STEP * COMMIT_STEP;
    if (share < RESERVE_LEAST) share = RESERVE_LEAST;
    if (limit == 0 && want > share) want = share;
  }
  return want;
}

static rf_status refuse_reservation(const rf_arena *arena, int error) {
  struct rlimit space;
  const bool limited = getrlimit(RLIMIT_AS, &space) == 0 && space.rlim_cur != RLIM_INFINITY;
  return rf_fail(RF_FAILED, "arena %s: cannot reserve %zu bytes of address space: %s; the process has %zu GiB: %s",
                 arena->name, arena->mapping_bytes, strerror(error), space_taken() >> 30,
                 limited ? "raise `ulimit -v`, or end sessions and models that are not needed any more"
                         : "end sessions and models that are not needed any more, or take several processes");
}

rf_status rf_arena_create(const char *name, size_t limit, rf_arena **arena_out) {
  *arena_out = NULL;
  rf_arena *arena = calloc(1, sizeof *arena);
  if (!arena) return rf_fail(RF_FAILED, "arena %s: out of memory", name);
  strncpy(arena->name, name, sizeof arena->name - 1);

  /* Pages that cannot be touched are not charged to anybody, even where overcommit is forbidden. */
  size_t reserve = first_reserve(limit);
  void *mapping = MAP_FAILED;
  for (; reserve >= RESERVE_LEAST; reserve = round_up(reserve / 2, COMMIT_STEP)) {
    arena->mapping_bytes = reserve + HUGE_PAGE;
    mapping = mmap(NULL, arena->mapping_bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (mapping != MAP_FAILED || reserve == RESERVE_LEAST) break;
  }
  if (mapping == MAP_FAILED) {
    const rf_status status = refuse_reservation(arena, errno);
    free(arena);
    return status;
  }
  arena->mapping = mapping;
  arena->base = arena->mapping + (round_up((uintptr_t)mapping, HUGE_PAGE) - (uintptr_t)mapping);
  arena->reserved = reserve;
  arena->limit = limit == 0 ? reserve : limit;
  arena->top = REDZONE;
  *arena_out = arena;
  return RF_OK;
}

rf_status rf_arena_create_counting(const char *name, rf_arena **arena_out) {
  *arena_out = NULL;
  rf_arena *arena = calloc(1, sizeof *arena);
  if (!arena) return rf_fail(RF_FAILED, "arena %s: out of memory", name);
  strncpy(arena->name, name, sizeof arena->name - 1);
  arena->counting = true;
  arena->reserved = arena->limit = SIZE_MAX / 2;
  arena->top = REDZONE;
  *arena_out = arena;
  return RF_OK;
}

void rf_arena_destroy(rf_arena *arena) {
  if (!arena) return;
  if (arena->counting) {
    free(arena);
    return;
  }
  RF_UNPOISON(arena->base, arena->committed); /* the addresses may be mapped again by others */
  munmap(arena->mapping, arena->mapping_bytes);
  free(arena);
}

/* Makes [0, end) writable; end <= reserved. */
static rf_status commit_bytes(rf_arena *arena, size_t end) {
  if (end <= arena->committed) return RF_OK;
  size_t target = round_up(end, COMMIT_STEP);
  if (target > arena->reserved) target = arena->reserved;
  unsigned char *from = arena->base + arena->committed;
  size_t bytes = target - arena->committed;
  if (mprotect(from, bytes, PROT_READ | PROT_WRITE) != 0)
    return rf_fail(RF_FAILED,
                   "arena %s: cannot grow from %zu to %zu bytes: %s; this machine has too little memory for the run",
                   arena->name, arena->committed, target, strerror(errno));
  (void)madvise(from, bytes, MADV_HUGEPAGE); /* fewer TLB misses; no matter if refused */
  RF_POISON(from, bytes);
  arena->committed = target;
  arena->growths++;
  return RF_OK;
}

rf_status rf_arena_take(rf_arena *arena, size_t count, size_t size, void *pointer_out) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes) || bytes > SIZE_MAX / 2)
    return rf_fail(RF_FAILED, "arena %s: %zu elements of %zu bytes are more than can be addressed", arena->name, count,
                   size);
  size_t most = arena->limit < arena->reserved ? arena->limit : arena->reserved;
  size_t end = arena->top + round_up(bytes, ALIGNMENT) + (bytes > 0 ? REDZONE : 0);
  if (arena->top + bytes > most || end > arena->reserved)
    return rf_fail(RF_FAILED,
                   "arena %s: %zu bytes (%zu x %zu) wanted with %zu in use, but it may hold %zu at most%s; a shorter "
                   "sequence, a smaller batch or more memory is needed",
                   arena->name, bytes, count, size, arena->top, most,
                   arena->limit > arena->reserved ? " (address space: see `ulimit -v`)" : "");
  static unsigned char nothing;
  void *pointer = &nothing;
  if (!arena->counting) {
    RF_TRY(commit_bytes(arena, end));
    pointer = arena->base + arena->top;
    RF_UNPOISON(pointer, bytes);
  }
  arena->top = end;
  if (end > arena->high_water) arena->high_water = end;
  memcpy(pointer_out, &pointer, sizeof pointer);
  return RF_OK;
}

rf_status rf_arena_take_zero(rf_arena *arena, size_t count, size_t size, void *pointer_out) {
  RF_TRY(rf_arena_take(arena, count, size, pointer_out));
  void *pointer;
  memcpy(&pointer, pointer_out, sizeof pointer);
  if (!arena->counting) memset(pointer, 0, count * size);
  return RF_OK;
}

rf_mark rf_arena_mark(const rf_arena *arena) { return arena->top; }

void rf_arena_release(rf_arena *arena, rf_mark mark) {
  assert(mark <= arena->top && mark % ALIGNMENT == 0);
  if (!arena->counting) RF_POISON(arena->base + mark, arena->top - mark);
  arena->top = mark;
}

size_t rf_arena_memory_used(const rf_arena *arena) { return arena->high_water; }
bool rf_arena_counts(const rf_arena *arena) { return arena->counting; }
size_t rf_arena_growths(const rf_arena *arena) { return arena->growths; }
