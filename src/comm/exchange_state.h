/* The inside of an exchange's plan. For comm/ only. */
#ifndef RF_COMM_EXCHANGE_STATE_H
#define RF_COMM_EXCHANGE_STATE_H

#include "comm/exchange_types.h"
#include "reformer/mesh_view.h"
#include <stddef.h>

/* A list holds the rows that one rank and this one share, of one kind and one pair. Lists stand in the order (rank,
 * kind, pair), which is also the order of rows in a message. */
enum { OWN, HALO, KINDS };

struct rf_exchange {
  rf_mesh *mesh;
  rf_exchange_shape shape;
  int ranks, rank;
  rf_span home;
  rf_owners owners;
  int64_t n_lists;
  /* Tokens of this rank, by the rank that needs them (itself included). */
  int64_t *out_first; /* [n_lists + 1] in out_token */
  int32_t *out_token; /* own token, from 0; rising in each list */
  /* Rows at this rank, by the rank they come from (itself included). */
  int64_t *in_first; /* [n_lists + 1] counts rows as they arrive */
  int64_t *in_row;   /* [n_lists] place of a list's first row among the pair's */
  rf_exchange_pair *pair;
  rf_exchange_counts counts;
  size_t memory;
};

static inline int64_t rf_list_of(const rf_exchange *x, int rank, int kind, int64_t pair) {
  return ((int64_t)rank * KINDS + kind) * x->shape.pairs + pair;
}

#endif
