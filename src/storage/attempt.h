/* What marks one attempt to own or to write something, so that nothing of another is taken for it. */
#ifndef RF_STORAGE_ATTEMPT_H
#define RF_STORAGE_ATTEMPT_H

#include <stdbool.h>

enum { RF_ATTEMPT_LENGTH = 16 };

/* A new one, of 16 hexadecimal digits. */
void rf_attempt_draw(char attempt[RF_ATTEMPT_LENGTH + 1]);
/* Whether a text is one that may have been drawn, and no more. */
bool rf_attempt_is(const char *text);

#endif
