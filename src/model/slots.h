/* Which of the places for full vectors holds which block, and which are lent: what the parameter store decides by, and
 * what a plan asks to know which blocks travel. */
#ifndef RF_MODEL_SLOTS_H
#define RF_MODEL_SLOTS_H

#include <stdbool.h>

/* Two: the block in use, and the one under way to or from the other ranks. */
enum { RF_SLOTS = 2, RF_NO_SLOT = -1, RF_NO_BLOCK = -1 };

typedef struct rf_slots {
  int block[RF_SLOTS]; /* whose vector it holds; RF_NO_BLOCK: nobody's */
  bool lent[RF_SLOTS];
  int last; /* that was given back; RF_NO_SLOT: none yet */
} rf_slots;

rf_slots rf_slots_empty(void);
/* The slot in which a block is lent; RF_NO_SLOT: it is not. */
int rf_slots_lent(const rf_slots *slots, int block);
bool rf_slots_all_returned(const rf_slots *slots);
/* Where a block's parameters are or may come: the slot that holds them, else one that is not lent; RF_NO_SLOT where all
 * are. */
int rf_slots_for(const rf_slots *slots, int block);
/* Where a gradient may be gathered: a slot that holds nothing, else the one whose gradient left first, and has come
 * farthest. RF_NO_SLOT where all are lent. */
int rf_slots_for_gradient(const rf_slots *slots);

#endif
