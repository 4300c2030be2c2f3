/* Memory with visible lifetimes: a bump allocator over one reserved address range.
 *
 *   base |=== long-lived ===|== scope ==|= inner =|............ reserved, not resident ......|
 *                           ^ mark      ^ mark    ^ top
 *
 * Address space is reserved once and becomes resident page by page when first touched, so pointers
 * never move, the resident size is the high-water mark, and a training step that repeats the same
 * scopes allocates nothing after its first run. Not thread safe: allocate before a parallel
 * region, index by thread inside. */
#ifndef REFORMER_ARENA_H
#define REFORMER_ARENA_H

#include "reformer/error.h"
#include "reformer/linkage.h"
#include <stdbool.h>
#include <stddef.h>

RF_API_BEGIN

typedef struct rf_arena rf_arena;
typedef size_t rf_mark;

/* name: for messages. limit: most bytes it may ever hold; 0: what the address space allows. */
rf_status rf_arena_create(const char *name, size_t limit, rf_arena **arena);
/* An arena that only counts: takes succeed and the high-water mark tells what they would need, but there is no memory
 * behind the pointers, which must not be touched. For planning. */
rf_status rf_arena_create_counting(const char *name, rf_arena **arena);
bool rf_arena_counts(const rf_arena *arena); /* only */
void rf_arena_destroy(rf_arena *arena);

/* `count` elements of `size` bytes, aligned to 64 bytes, not cleared (fresh pages read as zero,
 * reused ones do not). No elements: a pointer that must not be read. RF_FAILED when the limit is passed or the
 * machine gives no more; the message names arena and sizes. With AddressSanitizer what is not taken is poisoned
 * and 64 bytes stand between allocations (they count towards the limit). */
rf_status rf_arena_take(rf_arena *arena, size_t count, size_t size, void *pointer_out);
/* ... and cleared. */
rf_status rf_arena_take_zero(rf_arena *arena, size_t count, size_t size, void *pointer_out);

/* A scope: everything taken since the mark is gone after release. Scopes nest. */
rf_mark rf_arena_mark(const rf_arena *arena);
void rf_arena_release(rf_arena *arena, rf_mark mark);

size_t rf_arena_memory_used(const rf_arena *arena); /* high-water mark, bytes */
size_t rf_arena_growths(const rf_arena *arena);     /* times the high-water mark rose past a page step */

RF_API_END

#endif
