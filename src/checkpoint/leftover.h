/* What attempts at a checkpoint left behind that were killed: FOLDER.tmp-ATTEMPT, half written, and
 * FOLDER.replaced-ATTEMPT, half removed. */
#ifndef RF_CHECKPOINT_LEFTOVER_H
#define RF_CHECKPOINT_LEFTOVER_H

/* Once FOLDER is whole and on the disk: removes what earlier attempts at it left, where nothing but a checkpoint's
 * files is in it. Warns of what cannot be removed. */
void rf_leftovers_remove(const char *folder);

#endif
