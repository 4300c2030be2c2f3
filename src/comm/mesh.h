/* The world of MPI ranks that the program runs in. */
#ifndef RF_COMM_MESH_H
#define RF_COMM_MESH_H

#include "reformer/error.h"

/* Call first; only the main thread will call MPI. RF_FAILED where the library cannot promise that. */
rf_status rf_mpi_start(int *argc, char ***argv);
/* Call last, on every rank, whatever happened: a rank that ends without it makes the launcher kill the others. */
void rf_mpi_finish(void);

int rf_mpi_rank(void); /* in the world, from 0 */
int rf_mpi_size(void);

#endif
