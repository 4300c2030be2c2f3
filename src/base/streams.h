/* The standard streams, which may be closed, full, or a pipe that nobody reads any more. */
#ifndef RF_BASE_STREAMS_H
#define RF_BASE_STREAMS_H

#include "reformer/error.h"

/* Call first. Descriptors 0 to 2 that are closed are taken, so that no file that is opened later gets what is written
 * to standard error; reading and writing them fails as it does on closed ones. A pipe whose reader has gone makes a
 * write fail and ends nothing. RF_FAILED where the system does not let this be. */
rf_status rf_streams_hold(void);

/* Call last: what was printed on standard output goes out. RF_FAILED, with the cause, where it could not all be
 * written; a reader that has gone has what it wanted, and is no failure. */
rf_status rf_streams_finish(void);

#endif
