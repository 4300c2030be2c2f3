/* The dense part of attention: projections of a wave and their reverse. */
#ifndef RF_NN_ATTENTION_PROJECT_H
#define RF_NN_ATTENTION_PROJECT_H

#include "nn/attention.h"

/* The sublayer's tensors inside its flat vector, or inside the gradient's. */
typedef struct rf_attention_tensors {
  int64_t norm_scale, norm_bias; /* [d] */
  int64_t query;                 /* [H * d_head, d]; of shared queries and keys too */
  int64_t key;                   /* [H * d_head, d]; absent where shared */
  int64_t value;                 /* [H * d_head, d] */
  int64_t output;                /* [d, H * d_head] */
} rf_attention_tensors;

rf_attention_tensors rf_attention_tensors_of(const rf_model_config *model, bool shared_qk);

/* q, k, v and key scales of the wave from x [sequences, tokens, d]. */
rf_status rf_wave_project(const rf_wave *wave, const real *params, const real *x);

/* o /= z unless it is kept, where it was; then y += sign * dropout(o Wo^T). y may be NULL. */
rf_status rf_wave_output(const rf_wave *wave, const real *params, real sign, real *y);

/* With o normalised: d_o = dropout^T(dy) Wo, delta = d_o . o, dWo += ... */
rf_status rf_wave_output_vjp(const rf_wave *wave, const real *params, const real *dy, real *dparams);

/* From dq, dk, dv: dx += LN^T(dq Wq + dk Wk + dv Wv) and the weights' gradients. dq, dk are overwritten. */
rf_status rf_wave_project_vjp(const rf_wave *wave, const real *params, const real *x, real *dx, real *dparams);

/* For planning: takes from the call's scratch, which only counts, what the functions above take in reverse, and gives
 * it back. */
rf_status rf_wave_project_measure(const rf_wave *wave);

#endif
