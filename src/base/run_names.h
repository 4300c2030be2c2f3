/* Names in the folder of a run, of whoever writes, reads or finds them there. */
#ifndef RF_BASE_RUN_NAMES_H
#define RF_BASE_RUN_NAMES_H

#define RF_RUN_CHECKPOINTS "checkpoints"
#define RF_RUN_CONFIG "config.yaml"
#define RF_RUN_METRICS "metrics.jsonl"

#endif
