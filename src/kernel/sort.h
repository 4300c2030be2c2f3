/* Items by their keys. */
#ifndef RF_KERNEL_SORT_H
#define RF_KERNEL_SORT_H

#include <stdint.h>

/* A key in the upper 32 bits, what has it in the lower. */
static inline uint64_t rf_keyed(uint32_t key, uint32_t item) { return (uint64_t)key << 32 | item; }
static inline uint32_t rf_key_of(uint64_t keyed) { return (uint32_t)(keyed >> 32); }
static inline uint32_t rf_item_of(uint64_t keyed) { return (uint32_t)keyed; }

/* Sorts by key; equal keys stay in their order. end: above all keys. keyed, other: [n], both written to; the sorted one
 * is returned. Takes n + 256 steps for each byte that keys have, however many of them there could be. */
uint64_t *rf_sort_by_key(int64_t n, int64_t end, uint64_t *keyed, uint64_t *other);

#endif
