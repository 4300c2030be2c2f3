#include "nn/positions.h"
#include <assert.h>
#include <math.h>

int rf_positions_tensors(const rf_config *config, rf_tensor_entry *table) {
  static const char *const axes[RF_MAX_AXES] = {"position.axis0", "position.axis1", "position.axis2", "position.axis3"};
  const rf_positions_config *p = &config->model.positions;
  if (p->kind == RF_POSITIONS_LEARNED) {
    table[0] = (rf_tensor_entry){"position.weight", RF_INIT_NORMAL, 2, {p->shape[0], config->model.d_model}};
    return 1;
  }
  if (p->kind != RF_POSITIONS_AXIAL) return 0;
  for (int axis = 0; axis < p->n_axes; axis++)
    table[axis] = (rf_tensor_entry){axes[axis], RF_INIT_NORMAL, 2, {p->shape[axis], p->dims[axis]}};
  return p->n_axes;
}

/* One run of columns of the embedding: where it starts in the flat vector, and which columns it fills. */
typedef struct column_run {
  int64_t at, first, end;
} column_run;

/* The runs of a position, in column order; returns how many. */
static int runs_of(const rf_config *config, const int64_t *at, int64_t position, column_run runs[RF_MAX_AXES]) {
  const rf_positions_config *p = &config->model.positions;
  if (p->kind == RF_POSITIONS_LEARNED) {
    runs[0] = (column_run){at[0] + position * config->model.d_model, 0, config->model.d_model};
    return 1;
  }
  assert(p->n_axes > 0 && p->n_axes <= RF_MAX_AXES);
  int64_t column = 0, rest = position;
  for (int axis = p->n_axes - 1; axis >= 0; axis--) {
    runs[axis].at = at[axis] + rest % p->shape[axis] * p->dims[axis];
    rest /= p->shape[axis];
  }
  for (int axis = 0; axis < p->n_axes; axis++) {
    runs[axis].first = column;
    runs[axis].end = column += p->dims[axis];
  }
  return p->n_axes;
}

/* Vaswani et al. 2017, section 3.5. */
static double sinusoid(int64_t position, int64_t column, int64_t d) {
  const double angle = (double)position / pow(10000.0, (double)(column - column % 2) / (double)d);
  return column % 2 ? cos(angle) : sin(angle);
}

void rf_position_add(const rf_config *config, const real *params, const int64_t *at, int64_t position, int64_t first,
                     int64_t end, real *x) {
  switch (config->model.positions.kind) {
  case RF_POSITIONS_NONE:
  case RF_POSITIONS_ROTARY: return;
  case RF_POSITIONS_SINUSOIDAL:
    for (int64_t j = first; j < end; j++) x[j] += (real)sinusoid(position, j, config->model.d_model);
    return;
  case RF_POSITIONS_AXIAL:
  case RF_POSITIONS_LEARNED: break;
  }
  column_run runs[RF_MAX_AXES];
  const int n = runs_of(config, at, position, runs);
  for (int i = 0; i < n; i++)
    for (int64_t j = runs[i].first > first ? runs[i].first : first; j < runs[i].end && j < end; j++)
      x[j] += params[runs[i].at + j - runs[i].first];
}

void rf_position_add_vjp(const rf_config *config, const int64_t *at, int64_t position, int64_t first, int64_t end,
                         const real *dx, real *dparams) {
  const rf_position_kind kind = config->model.positions.kind;
  if (kind != RF_POSITIONS_AXIAL && kind != RF_POSITIONS_LEARNED) return;
  column_run runs[RF_MAX_AXES];
  const int n = runs_of(config, at, position, runs);
  for (int i = 0; i < n; i++)
    for (int64_t j = runs[i].first > first ? runs[i].first : first; j < runs[i].end && j < end; j++)
      dparams[runs[i].at + j - runs[i].first] += dx[j];
}
