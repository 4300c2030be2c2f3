/* How the ranks tell each other their counts (comm/histogram.h). */
#ifndef RF_COMM_HISTOGRAM_KIND_H
#define RF_COMM_HISTOGRAM_KIND_H

typedef enum rf_histogram {
  RF_HISTOGRAM_AUTO, /* dense while that is expected to be fewer bytes, the same choice on all ranks */
  RF_HISTOGRAM_DENSE,
  RF_HISTOGRAM_SPARSE
} rf_histogram;

#endif
