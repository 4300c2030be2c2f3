/* The machine's multiply-add rate, measured. */
#ifndef RF_KERNEL_PEAK_H
#define RF_KERNEL_PEAK_H

/* Operations a second (a multiply-add counts two) of all OpenMP threads together, in the build's precision, on data in
 * registers: what no kernel can pass. The best of a few runs of about `seconds` each. */
double rf_peak_rate(double seconds);

#endif
