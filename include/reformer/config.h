/* What a run is made of: one struct a section of the configuration file, plain values only.
 *
 * The schema (src/config/schema.c) gives every key its range, default and help; whoever reads these
 * structs may rely on them being in range and consistent. Everything is fixed size, so a
 * configuration can be copied by assignment. */
#ifndef REFORMER_CONFIG_H
#define REFORMER_CONFIG_H

#include "reformer/kinds.h"
#include "reformer/linkage.h"
#include <stdbool.h>
#include <stdint.h>

RF_API_BEGIN

enum {
  RF_MAX_PATTERN = 64, /* entries of model.attention before it repeats */
  RF_MAX_AXES = 4,     /* axes of the axial position embedding */
  RF_MAX_FACTORS = 4,  /* factors of lsh.n_buckets */
  RF_MAX_PATH = 1024   /* bytes of a path, with its end */
};

typedef enum rf_attention_kind { RF_ATTENTION_LSH, RF_ATTENTION_LOCAL, RF_ATTENTION_FULL } rf_attention_kind;
typedef enum rf_position_kind {
  RF_POSITIONS_AXIAL,
  RF_POSITIONS_LEARNED,
  RF_POSITIONS_SINUSOIDAL,
  RF_POSITIONS_ROTARY,
  RF_POSITIONS_NONE
} rf_position_kind;
extern const char *const rf_precision_names[]; /* as in configurations; NULL ends them */
extern const char *const rf_attention_names[];
typedef enum rf_residual { RF_RESIDUAL_REVERSIBLE, RF_RESIDUAL_ORDINARY } rf_residual;

typedef struct rf_positions_config {
  rf_position_kind kind;
  int n_axes;
  int64_t shape[RF_MAX_AXES]; /* axial: product >= length */
  int64_t dims[RF_MAX_AXES];  /* axial: sum = d_model */
} rf_positions_config;

typedef struct rf_model_config {
  int64_t vocab_size, d_model, n_layers, n_heads, d_head, d_ff;
  rf_activation activation;
  rf_precision precision; /* of the products with weights; see src/kernel/gemm_bf16.h */
  int n_attention;
  rf_attention_kind attention[RF_MAX_PATTERN]; /* repeated over the layers */
  bool causal;
  double dropout;           /* hidden activations: feed-forward inner, sublayer outputs, head */
  double attention_dropout; /* attention probabilities */
  double embedding_dropout;
  rf_positions_config positions;
  rf_residual residual;
  bool tied_embedding; /* the head uses the token embedding; streams are averaged */
  double init_std;
  double norm_eps;
} rf_model_config;

typedef enum rf_rotations_kind { RF_ROTATIONS_PER_HEAD, RF_ROTATIONS_SHARED, RF_ROTATIONS_FILE } rf_rotations_kind;

typedef struct rf_lsh_config {
  int64_t chunk;
  int64_t n_hashes;
  int n_factors;                     /* 0: auto, resolved from the padded training length */
  int64_t n_buckets[RF_MAX_FACTORS]; /* each factor even */
  int64_t chunks_before, chunks_after;
  bool attend_across_buckets;
  rf_duplicates duplicates;
  rf_rotations_kind rotations;
  char rotations_file[RF_MAX_PATH]; /* where rotations is FILE */
  rf_key_norm key_norm;
  bool mask_padding_queries; /* lucidrains: padding queries see nothing but themselves */
} rf_lsh_config;

typedef struct rf_local_config {
  int64_t chunk, chunks_before, chunks_after;
} rf_local_config;

typedef struct rf_full_config {
  bool shared_qk; /* true: the keys and the self rule of LSH attention */
} rf_full_config;

typedef enum rf_data_kind { RF_DATA_BYTES, RF_DATA_TOKENS, RF_DATA_DUPLICATE } rf_data_kind;

typedef struct rf_data_config {
  rf_data_kind kind;
  char path[RF_MAX_PATH];
  int token_bytes; /* tokens: 2 or 4 bytes each, little endian */
  int64_t length;  /* tokens of a sequence */
  double split[3]; /* train, validation, test: fractions of the file */
} rf_data_config;

enum { RF_MEMORY_AUTO = -1 };

typedef struct rf_training_config {
  int64_t steps, batch, accumulate;
  double clip_norm; /* 0: off */
  uint64_t seed;
  int64_t eval_every;   /* steps; 0: only at the end */
  int64_t eval_batches; /* at most so many batches an evaluation; 0: the whole split */
  double step_timeout;  /* seconds after which a step that has not ended ends the run; 0: off; NaN: auto */
  int64_t memory_limit; /* bytes of a rank; what the run does not need keeps activations. 0: keep none;
                         * RF_MEMORY_AUTO: what the machine has free */
  double max_minutes;   /* of wall-clock time; the run saves and stops in time (RF_STOPPED); 0: off */
} rf_training_config;

typedef enum rf_optimizer_kind { RF_ADAM, RF_ADAFACTOR } rf_optimizer_kind;
typedef enum rf_schedule_kind {
  RF_SCHEDULE_CONSTANT,
  RF_SCHEDULE_RSQRT,
  RF_SCHEDULE_COSINE,
  RF_SCHEDULE_LINEAR
} rf_schedule_kind;

typedef struct rf_optimizer_config {
  rf_optimizer_kind kind;
  double lr;
  rf_schedule_kind schedule;
  int64_t warmup;
  double lr_end; /* cosine, linear: the rate at the last step, as a fraction of lr */
  double beta1, beta2, eps, weight_decay;
  /* adafactor (Shazeer and Stern 2018): second moments decay by 1 - t^decay_exponent, updates are clipped at
   * clip_threshold, factor_eps (> 0) is added to squared gradients, scale_eps is the least parameter scale.
   * beta1 0: no momentum, and no memory for it. */
  double decay_exponent, clip_threshold, factor_eps, scale_eps;
  bool relative_step;   /* the paper's steps: rate min(0.01, 1/sqrt(t)), scaled; lr and schedule do not count */
  bool scale_parameter; /* scheduled rate times max(scale_eps, RMS of the tensor); relative_step implies it */
} rf_optimizer_config;

/* What a number of a row takes on its way between ranks: all its bits, or the 2 bytes of a bfloat16. */
typedef enum rf_wire { RF_WIRE_REAL, RF_WIRE_BF16 } rf_wire;

typedef struct rf_mesh_config {
  int64_t sequence;    /* ranks that share a sequence */
  int64_t data;        /* data-parallel groups; 0: auto = ranks / sequence */
  rf_wire wire;        /* of attention's rows */
  int64_t wave_memory; /* bytes that attention's rows may take on a rank of several; more lets fewer rows travel */
} rf_mesh_config;

typedef struct rf_checkpoint_config {
  int64_t every;      /* steps between checkpoints; 0: one at the end */
  int64_t keep;       /* newest checkpoints that stay, beside the best and the permanent ones; 0: all */
  int64_t keep_every; /* checkpoints of steps that are multiples of this stay for good; 0: none */
  bool async;         /* train on while a copy in memory is written */
} rf_checkpoint_config;

typedef struct rf_output_config {
  int64_t log_every;
  int64_t sample_tokens;           /* tokens sampled from the model at the end; 0: none */
  char sample_prompt[RF_MAX_PATH]; /* text the sample starts with, or ids of tokens */
  double sample_temperature;
} rf_output_config;

typedef struct rf_config {
  rf_model_config model;
  rf_lsh_config lsh;
  rf_local_config local;
  rf_full_config full;
  rf_data_config data;
  rf_training_config training;
  rf_optimizer_config optimizer;
  rf_mesh_config mesh;
  rf_checkpoint_config checkpoint;
  rf_output_config output;
} rf_config;

/* The attention kind of a layer: the pattern repeats. */
rf_attention_kind rf_layer_attention(const rf_model_config *model, int64_t layer);

/* The padded length: `length` rounded up to a multiple of M, the least common multiple of the chunk
 * lengths of the attention kinds in use (full attention has none). Never depends on the number of
 * ranks: padding that did would shift chunk edges and change the result. */
int64_t rf_padded_length(const rf_config *config, int64_t length);

/* Resolves lsh.n_buckets: auto from the padded training length (docs/design.md 2.1): the largest power of
 * two <= 2 * length / chunk, at least 2; in as few factors of at most 128, as even as can be, as that takes. No-op when
 * already given. */
void rf_resolve_buckets(rf_lsh_config *lsh, int64_t padded_length);

RF_API_END

#endif
