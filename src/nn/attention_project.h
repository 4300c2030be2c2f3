/* The dense part of attention: projections of a wave and their reverse. */
#ifndef RF_NN_ATTENTION_PROJECT_H
#define RF_NN_ATTENTION_PROJECT_H

#include "nn/wave.h"

/* The sublayer's tensors, in the order of its flat vector: norm [d], projections [H * d_head, d], output
 * [d, H * d_head]. A shared projection of queries and keys is the query's, and there is no key's. */
enum {
  RF_ATTENTION_NORM_SCALE,
  RF_ATTENTION_NORM_BIAS,
  RF_ATTENTION_QUERY,
  RF_ATTENTION_KEY,
  RF_ATTENTION_VALUE,
  RF_ATTENTION_OUTPUT,
  RF_ATTENTION_TENSORS
};
void rf_attention_tensors(const rf_model_config *model, bool shared_qk, rf_tensor_entry table[RF_ATTENTION_TENSORS]);

/* The functions below do no more than take their scratch for a wave whose rows are only expected. */

/* q, k, v of the wave from x [sequences, tokens, d]. */
rf_status rf_wave_project(const rf_wave *wave, const real *params, const real *x);

/* o /= z unless it was saved, as it is after that; then y += sign * dropout(o Wo^T). y may be NULL. */
rf_status rf_wave_output(const rf_wave *wave, const real *params, real sign, real *y);

/* With o normalised: d_o = dropout^T(dy) Wo, delta = d_o . o, dWo += ... */
rf_status rf_wave_output_vjp(const rf_wave *wave, const rf_sublayer_vjp *task);

/* From dq, dk, dv: dx += LN^T(dq Wq + dk Wk + dv Wv) and the weights' gradients. dq, dk are overwritten. */
rf_status rf_wave_project_vjp(const rf_wave *wave, const rf_sublayer_vjp *task);

#endif
