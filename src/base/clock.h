#ifndef RF_BASE_CLOCK_H
#define RF_BASE_CLOCK_H

/* Seconds since an arbitrary moment; never goes back. */
double rf_clock_seconds(void);

#endif
