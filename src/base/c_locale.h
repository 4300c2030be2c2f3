/* Numbers are written and read with a point, whatever locale the program has chosen (setlocale): what one writes, all
 * can read. Whatever prints or reads a real does it between these two, which concern the calling thread alone; most do
 * by way of base/text.h, rf_fail and rf_log_info. The program itself chooses none: what its commands print by printf
 * has points anyway. */
#ifndef RF_BASE_C_LOCALE_H
#define RF_BASE_C_LOCALE_H

#include <locale.h>

typedef struct rf_c_locale {
  locale_t own, before;
} rf_c_locale;

static inline rf_c_locale rf_c_locale_begin(void) {
  const locale_t own = newlocale(LC_ALL_MASK, "C", (locale_t)0);
  return (rf_c_locale){.own = own, .before = uselocale(own)};
}

static inline void rf_c_locale_end(rf_c_locale locale) {
  (void)uselocale(locale.before);
  if (locale.own != (locale_t)0) freelocale(locale.own);
}

#endif
