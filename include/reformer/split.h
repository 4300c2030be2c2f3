/* The parts that data.split cuts a file of data into. */
#ifndef REFORMER_SPLIT_H
#define REFORMER_SPLIT_H

typedef enum rf_split { RF_SPLIT_TRAIN, RF_SPLIT_VALIDATION, RF_SPLIT_TEST } rf_split;

#endif
