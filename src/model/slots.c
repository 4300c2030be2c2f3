#include "model/slots.h"

rf_slots rf_slots_empty(void) {
  rf_slots slots = {.last = RF_NO_SLOT};
  for (int i = 0; i < RF_SLOTS; i++) slots.block[i] = RF_NO_BLOCK;
  return slots;
}

int rf_slots_lent(const rf_slots *slots, int block) {
  for (int i = 0; i < RF_SLOTS; i++)
    if (slots->block[i] == block && slots->lent[i]) return i;
  return RF_NO_SLOT;
}

bool rf_slots_all_returned(const rf_slots *slots) {
  bool lent = false;
  for (int i = 0; i < RF_SLOTS; i++) lent = lent || slots->lent[i];
  return !lent;
}

int rf_slots_for(const rf_slots *slots, int block) {
  int found = RF_NO_SLOT;
  for (int i = 0; i < RF_SLOTS; i++) {
    if (slots->block[i] == block) return i;
    if (!slots->lent[i] && (found == RF_NO_SLOT || slots->block[i] == RF_NO_BLOCK)) found = i;
  }
  return found;
}

int rf_slots_for_gradient(const rf_slots *slots) {
  int found = RF_NO_SLOT;
  for (int i = 0; i < RF_SLOTS; i++) {
    if (slots->lent[i]) continue;
    if (slots->block[i] == RF_NO_BLOCK) return i;
    if (found == RF_NO_SLOT || found == slots->last) found = i;
  }
  return found;
}
