#include "storage/attempt.h"
#include <inttypes.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

void rf_attempt_draw(char attempt[RF_ATTEMPT_LENGTH + 1]) {
  uint64_t number = 0;
  if (getrandom(&number, sizeof number, GRND_NONBLOCK) != (ssize_t)sizeof number)
    number = (uint64_t)time(NULL) << 24 ^ (uint64_t)getpid();
  (void)snprintf(attempt, RF_ATTEMPT_LENGTH + 1, "%016" PRIx64, number);
}

bool rf_attempt_is(const char *text) {
  return strlen(text) == RF_ATTEMPT_LENGTH && strspn(text, "0123456789abcdef") == RF_ATTEMPT_LENGTH;
}
