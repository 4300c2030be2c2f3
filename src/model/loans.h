/* Which of the places for full vectors holds which block, and which are lent: what the parameter store decides by, and
 * what a plan asks to know which blocks travel. */
#ifndef RF_MODEL_LOANS_H
#define RF_MODEL_LOANS_H

#include <stdbool.h>

/* Two: the block in use, and the one under way to or from the other ranks. */
enum { RF_LOANS = 2, RF_NO_LOAN = -1, RF_NO_BLOCK = -1 };

typedef struct rf_loans {
  int block[RF_LOANS]; /* whose vector it holds; RF_NO_BLOCK: nobody's */
  bool lent[RF_LOANS];
  int last; /* that was given back; RF_NO_LOAN: none yet */
} rf_loans;

rf_loans rf_loans_empty(void);
/* The slot in which a block is lent; RF_NO_LOAN: it is not. */
int rf_loans_lent(const rf_loans *slots, int block);
bool rf_loans_all_returned(const rf_loans *slots);
/* Where a block's parameters are or may come: the slot that holds them, else one that is not lent; RF_NO_LOAN where all
 * are. */
int rf_loans_for(const rf_loans *slots, int block);
/* Where a gradient may be gathered: a slot that holds nothing, else the one whose gradient left first, and has come
 * farthest. RF_NO_LOAN where all are lent. */
int rf_loans_for_gradient(const rf_loans *slots);

#endif
