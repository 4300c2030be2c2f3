/* What a write raises that fails: SIGXFSZ where a file is at its limit (ulimit -f), SIGPIPE where a reader has gone. By
 * default each ends the process. The program ignores them (base/streams.h); a library must not, as they are the
 * business of the program that links it, and so holds them back around its own writes. */
#ifndef RF_BASE_WRITE_SIGNALS_H
#define RF_BASE_WRITE_SIGNALS_H

#include <signal.h>

/* Kept from the thread until they are released: what was raised meanwhile counts as never raised. Leaves errno alone.
 */
sigset_t rf_write_signals_hold(void);
void rf_write_signals_release(const sigset_t *before);

#endif
