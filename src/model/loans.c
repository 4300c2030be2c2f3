#include "model/loans.h"

rf_loans rf_loans_empty(void) {
  rf_loans slots = {.last = RF_NO_LOAN};
  for (int i = 0; i < RF_LOANS; i++) slots.block[i] = RF_NO_BLOCK;
  return slots;
}

int rf_loans_lent(const rf_loans *slots, int block) {
  for (int i = 0; i < RF_LOANS; i++)
    if (slots->block[i] == block && slots->lent[i]) return i;
  return RF_NO_LOAN;
}

bool rf_loans_all_returned(const rf_loans *slots) {
  bool lent = false;
  for (int i = 0; i < RF_LOANS; i++) lent = lent || slots->lent[i];
  return !lent;
}

int rf_loans_for(const rf_loans *slots, int block) {
  int found = RF_NO_LOAN;
  for (int i = 0; i < RF_LOANS; i++) {
    if (slots->block[i] == block) return i;
    if (!slots->lent[i] && (found == RF_NO_LOAN || slots->block[i] == RF_NO_BLOCK)) found = i;
  }
  return found;
}

int rf_loans_for_gradient(const rf_loans *slots) {
  int found = RF_NO_LOAN;
  for (int i = 0; i < RF_LOANS; i++) {
    if (slots->lent[i]) continue;
    if (slots->block[i] == RF_NO_BLOCK) return i;
    if (found == RF_NO_LOAN || found == slots->last) found = i;
  }
  return found;
}
