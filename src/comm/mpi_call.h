/* MPI's types and calls, for comm/ only: what a call returns becomes a status. */
#ifndef RF_COMM_MPI_CALL_H
#define RF_COMM_MPI_CALL_H

#include "reformer/error.h"
#include <mpi.h>

/* MPI_STATUSES_IGNORE of MPICH and its kin is the address 1, where gcc misses an array. */
#if defined(MPICH_VERSION) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wstringop-overflow"
#endif

#define RF_MPI(call) RF_TRY(rf_mpi_check((call), #call))
/* Turns an error code of MPI into a status; call: its text, for the message. */
rf_status rf_mpi_check(int code, const char *call);

#ifdef RF_DOUBLE
#define RF_MPI_REAL MPI_DOUBLE
#else
#define RF_MPI_REAL MPI_FLOAT
#endif

#endif
