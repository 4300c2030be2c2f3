#include "base/phase.h"
#include "base/clock.h"
#include <stddef.h>
#include <string.h>

const char *rf_phase_name(rf_phase phase) {
  static const char *const names[RF_PHASES] = {
      [RF_PHASE_OTHER] = "other",
      [RF_PHASE_EMBEDDING] = "embedding",
      [RF_PHASE_PROJECT] = "projections",
      [RF_PHASE_HASH] = "hashing",
      [RF_PHASE_PLAN] = "plan",
      [RF_PHASE_EXCHANGE] = "exchange",
      [RF_PHASE_ATTEND] = "attention",
      [RF_PHASE_OUTPUT] = "output",
      [RF_PHASE_FEED_FORWARD] = "feed-forward",
      [RF_PHASE_HEAD] = "head",
      [RF_PHASE_PARAMETERS] = "parameters",
      [RF_PHASE_GRADIENTS] = "gradients",
      [RF_PHASE_OPTIMIZER] = "optimizer",
  };
  return names[phase];
}

void rf_phases_reset(rf_phases *phases) {
  if (!phases) return;
  memset(phases, 0, sizeof *phases);
  phases->since = rf_clock_seconds();
}

void rf_phases_read(rf_phases *phases) {
  if (!phases) return;
  const double now = rf_clock_seconds(), passed = now - phases->since;
  phases->seconds[phases->current] += passed;
  if (phases->waiting) phases->waited[phases->current] += passed;
  phases->since = now;
}

rf_phase rf_phase_enter(rf_phases *phases, rf_phase phase) {
  if (!phases) return RF_PHASE_OTHER;
  const rf_phase before = phases->current;
  if (phase == before) return before;
  rf_phases_read(phases);
  phases->current = phase;
  return before;
}

void rf_phase_leave(rf_phases *phases, rf_phase before) { (void)rf_phase_enter(phases, before); }

void rf_phase_wait(rf_phases *phases, bool waiting) {
  if (!phases) return;
  rf_phases_read(phases);
  phases->waiting = waiting;
}
