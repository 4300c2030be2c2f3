/* Arrays of tokens and of rows for an exchange to move, with numbers that tell where they belong. */
#ifndef TESTS_MPI_EXCHANGE_ARRAYS_H
#define TESTS_MPI_EXCHANGE_ARRAYS_H

#include "mpi/exchange_fixture.h"

/* Token arrays and row arrays of some fields, with room between rows that must stay as it is. */
typedef struct arrays {
  int n_fields;
  rf_exchange_field field[3];
  real **pointer[6];
} arrays;

enum { GAP = 2 };
#define UNTOUCHED R_(-77)

static inline arrays arrays_make(const fixture *b, int n_fields, const int64_t *widths) {
  arrays a = {.n_fields = n_fields};
  const int64_t pairs = b->w.shape.pairs;
  for (int f = 0; f < n_fields; f++) {
    const int64_t ld = widths[f] + GAP;
    for (int side = 0; side < 2; side++) {
      real **part = a.pointer[2 * f + side] = NEW(real *, pairs);
      for (int64_t p = 0; p < pairs; p++) {
        const int64_t n = ld * (side ? rf_exchange_pair_of(b->x, p)->n_rows : b->home.count);
        part[p] = NEW(real, n);
        for (int64_t i = 0; i < n; i++) part[p][i] = UNTOUCHED;
      }
    }
    a.field[f] = (rf_exchange_field){widths[f], a.pointer[2 * f], ld, a.pointer[2 * f + 1], ld};
  }
  return a;
}

static inline void arrays_free(const fixture *b, arrays *a) {
  for (int i = 0; i < 2 * a->n_fields; i++) {
    for (int64_t p = 0; p < b->w.shape.pairs; p++) free(a->pointer[i][p]);
    free(a->pointer[i]);
  }
}

static inline real *token_of(const arrays *a, int f, int64_t pair, int64_t t) {
  return a->field[f].tokens[pair] + t * a->field[f].tokens_ld;
}
static inline real *row_of(const arrays *a, int f, int64_t pair, int64_t row) {
  return a->field[f].rows[pair] + row * a->field[f].rows_ld;
}

/* A small whole number that belongs to (field, pair, position, column), so that sums are exact. */
static inline real value_of(int f, int64_t pair, int64_t position, int64_t column) {
  return (real)((position * 31 + pair * 17 + column * 7 + f * 5) % 23 - 11);
}
/* ... and one that belongs to a rank's row too. */
static inline real value_at(int rank, int f, int64_t pair, int64_t position, int64_t column) {
  return (real)((position * 13 + pair * 5 + column * 3 + f + rank * 11) % 19 - 9);
}

static inline void fill_tokens(const fixture *b, arrays *a) {
  for (int f = 0; f < a->n_fields; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++)
      for (int64_t t = 0; t < b->home.count; t++)
        for (int64_t j = 0; j < a->field[f].width; j++) token_of(a, f, p, t)[j] = value_of(f, p, b->home.first + t, j);
}

static inline void check_gaps(fixture *b, const arrays *a) {
  for (int f = 0; f < a->n_fields; f++)
    for (int64_t p = 0; p < b->w.shape.pairs; p++) {
      for (int64_t t = 0; t < b->home.count; t++)
        for (int j = 0; j < GAP; j++) check(b, token_of(a, f, p, t)[a->field[f].width + j] == UNTOUCHED);
      for (int64_t i = 0; i < rf_exchange_pair_of(b->x, p)->n_rows; i++)
        for (int j = 0; j < GAP; j++) check(b, row_of(a, f, p, i)[a->field[f].width + j] == UNTOUCHED);
    }
}

static inline void check_traffic(fixture *b, int64_t rows, int64_t halo, int64_t width) {
  int64_t bytes[RF_TRAFFIC_PURPOSES];
  rf_traffic_read(b->mesh, bytes);
  check(b, bytes[RF_TRAFFIC_ROWS] == rows * width * (int64_t)sizeof(real));
  check(b, bytes[RF_TRAFFIC_HALO] == halo * width * (int64_t)sizeof(real));
}

#endif
