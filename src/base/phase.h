/* Where the time of a step goes: a stopwatch that is always in exactly one phase.
 *
 *   enter(PROJECT)        enter(EXCHANGE)   leave            leave
 *        |--- PROJECT ---------|-- EXCHANGE --|--- PROJECT ---|  what was before
 *
 * Phases nest; time counts for the innermost one only, so that all phases together are the whole time. Standing still
 * for other ranks is noted beside: how much of each phase it was. Main thread only; a call costs about 50 ns. Where a
 * stopwatch is asked for, NULL is none, and nothing is timed. */
#ifndef RF_BASE_PHASE_H
#define RF_BASE_PHASE_H

#include "reformer/error.h"
#include <stdbool.h>

typedef enum rf_phase {
  RF_PHASE_OTHER,        /* reading data, copies between layers, what has no phase of its own */
  RF_PHASE_EMBEDDING,    /* forward and reverse */
  RF_PHASE_PROJECT,      /* attention: norm, queries, keys, values, and their reverse */
  RF_PHASE_HASH,         /* rotations and buckets */
  RF_PHASE_PLAN,         /* sorting into slots, and what ranks tell each other for it */
  RF_PHASE_EXCHANGE,     /* rows to the owners of their slots and back: packing, waiting, unpacking */
  RF_PHASE_ATTEND,       /* scores and values, and their reverse */
  RF_PHASE_OUTPUT,       /* attention: output projection and its reverse */
  RF_PHASE_FEED_FORWARD, /* forward and reverse */
  RF_PHASE_HEAD,         /* norm, logits, loss, and their reverse */
  RF_PHASE_PARAMETERS,   /* full vectors gathered from all ranks */
  RF_PHASE_GRADIENTS,    /* sums of gradients to the ranks that own them */
  RF_PHASE_OPTIMIZER,    /* gradient norm and update */
  RF_PHASES              /* how many there are */
} rf_phase;

typedef struct rf_phases {
  double seconds[RF_PHASES]; /* since the last reset */
  double waited[RF_PHASES];  /* of these, standing still for other ranks */
  rf_phase current;
  bool waiting;
  double since;
} rf_phases;

const char *rf_phase_name(rf_phase phase); /* "projections", ... */

/* Everything to zero; in RF_PHASE_OTHER from now on. */
void rf_phases_reset(rf_phases *phases);
/* Counts what has passed up to now. */
void rf_phases_read(rf_phases *phases);

/* Returns the phase before, for leave. */
rf_phase rf_phase_enter(rf_phases *phases, rf_phase phase);
void rf_phase_leave(rf_phases *phases, rf_phase before);
/* This rank stands still from here, or goes on. */
void rf_phase_wait(rf_phases *phases, bool waiting);

/* RF_TRY(call), in a phase. */
#define RF_TRY_IN(phases, phase, call)                                                                                 \
  do {                                                                                                                 \
    const rf_phase rf_phase_before = rf_phase_enter(phases, phase);                                                    \
    const rf_status rf_phase_status = (call);                                                                          \
    rf_phase_leave(phases, rf_phase_before);                                                                           \
    RF_TRY(rf_phase_status);                                                                                           \
  } while (0)

#endif
