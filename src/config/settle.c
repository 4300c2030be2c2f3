#include "config/settle.h"
#include "base/integers.h"
#include "base/log.h"
#include "base/text.h"
#include "config/filled.h"
#include "config/read_text.h"
#include "reformer/rng.h"
#include "train/sample_text.h"
#include <assert.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { MOST_BUCKETS = 1 << 30 }; /* of one round; with the padding bucket, ids fit an int32_t */

typedef struct rf_check {
  rf_config *config;
  const rf_origin *origin;
  bool silent; /* a struct: it was warned before */
} rf_check;

enum { MOST_MESSAGE = RF_MAX_PLACE + 1024 };

/* "place of the key: text" into message, MOST_MESSAGE bytes, which is returned. */
static const char *say_place(const rf_check *check, const char *path, const char *format, va_list arguments,
                             char *message) {
  char place[RF_MAX_PLACE], text[1024];
  (void)rf_text_vprint(text, sizeof text, format, arguments);
  (void)snprintf(message, MOST_MESSAGE, "%s: %s", rf_origin_place(check->origin, path, place), text);
  return message;
}

static rf_status refuse_key(const rf_check *check, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static rf_status refuse_key(const rf_check *check, const char *path, const char *format, ...) {
  const rf_key *key = rf_key_at(rf_key_index(path));
  char message[MOST_MESSAGE];
  va_list arguments;
  va_start(arguments, format);
  (void)say_place(check, path, format, arguments, message);
  va_end(arguments);
  return rf_fail(RF_BAD_CONFIG, "%s%s", message, check->silent ? rf_config_automatic(key) : "");
}

static void warn_of_key(const rf_check *check, const char *path, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
static void warn_of_key(const rf_check *check, const char *path, const char *format, ...) {
  char message[MOST_MESSAGE];
  if (check->silent) return;
  va_list arguments;
  va_start(arguments, format);
  (void)say_place(check, path, format, arguments, message);
  va_end(arguments);
  rf_log_warn("%s", message);
}

static bool uses(const rf_config *config, rf_attention_kind kind) {
  for (int64_t layer = 0; layer < config->model.n_layers && layer < config->model.n_attention; layer++) {
    if (rf_layer_attention(&config->model, layer) == kind) return true;
  }
  return false;
}

static rf_status settle_widths(const rf_check *check) {
  rf_model_config *model = &check->config->model;
  if (model->d_head == 0) {
    if (model->d_model % model->n_heads != 0) {
      return refuse_key(check, "model.n_heads",
                        "found %lld, which does not divide d_model = %lld; allowed: a divisor, or any number with "
                        "model.d_head given",
                        (long long)model->n_heads, (long long)model->d_model);
    }
    model->d_head = model->d_model / model->n_heads;
  }
  if (model->d_ff == 0) model->d_ff = 4 * model->d_model;
  if (model->positions.kind == RF_POSITIONS_ROTARY && model->d_head % 2 != 0) {
    return refuse_key(check, "model.d_head", "found %lld; allowed: an even number, as rotary positions turn pairs",
                      (long long)model->d_head);
  }
  return RF_OK;
}

/* Powers of two near the n-th root, and whatever is left for the last axis: product >= length, all >= 1. */
static void suggest_shape(int n_axes, int64_t length, int64_t *shape) {
  int64_t rest = length;
  for (int axis = 0; axis < n_axes - 1; axis++) {
    int64_t side = 1;
    for (;;) {
      int64_t volume = 1;
      for (int k = axis; k < n_axes; k++) volume *= 2 * side;
      if (volume > rest) break;
      side *= 2;
    }
    shape[axis] = side;
    rest = rf_ceil_div(rest, side);
  }
  shape[n_axes - 1] = rest;
}

static const char *write_list(const int64_t *values, int count, char *buffer, size_t size) {
  buffer[0] = '\0';
  for (int i = 0; i < count; i++) rf_text_append(buffer, size, "%s%lld", i > 0 ? ", " : "[", (long long)values[i]);
  rf_text_append(buffer, size, "]");
  return buffer;
}

static int count_axes(const int64_t *values) {
  int count = 0;
  while (count < RF_MAX_AXES && values[count] != 0) count++;
  return count;
}

/* One table with a row for every place; auto: as long as a (padded) sequence. */
static rf_status settle_learned(const rf_check *check, int64_t padded) {
  rf_positions_config *positions = &check->config->model.positions;
  int n_shape = count_axes(positions->shape);
  if (n_shape > 1) {
    return refuse_key(check, "model.positions.shape", "found %d axes; allowed: one number or auto, with kind: learned",
                      n_shape);
  }
  if (n_shape == 0) positions->shape[0] = padded;
  positions->n_axes = 1;
  if (positions->shape[0] >= padded) return RF_OK;
  return refuse_key(check, "model.positions.shape",
                    "found %lld places; allowed: at least the %lld tokens of a (padded) sequence, or auto",
                    (long long)positions->shape[0], (long long)padded);
}

static rf_status settle_axes(const rf_check *check, int64_t padded) {
  rf_positions_config *positions = &check->config->model.positions;
  int64_t d_model = check->config->model.d_model;
  if (positions->kind == RF_POSITIONS_LEARNED) return settle_learned(check, padded);
  if (positions->kind != RF_POSITIONS_AXIAL) return RF_OK;
  int n_shape = count_axes(positions->shape), n_dims = count_axes(positions->dims);
  int n_axes = n_shape > 0 ? n_shape : n_dims > 0 ? n_dims : 2;
  if (n_axes < 2) {
    return refuse_key(check, n_shape > 0 ? "model.positions.shape" : "model.positions.dims",
                      "found one axis; allowed: 2 to %d axes, or kind: learned", RF_MAX_AXES);
  }
  if (n_shape == 0) suggest_shape(n_axes, padded, positions->shape);
  if (n_dims == 0) {
    if (d_model < n_axes) {
      return refuse_key(check, "model.d_model",
                        "found %lld; allowed: at least %d, one column for each axis of the positions",
                        (long long)d_model, n_axes);
    }
    int64_t part = n_axes == 2 && d_model >= 4 ? d_model / 4 : d_model / n_axes;
    for (int axis = 0; axis < n_axes - 1; axis++) positions->dims[axis] = part;
    positions->dims[n_axes - 1] = d_model - part * (n_axes - 1);
  } else if (n_dims != n_axes) {
    return refuse_key(check, "model.positions.dims",
                      "found %d entries; allowed: %d, as many as model.positions.shape has", n_dims, n_axes);
  }
  positions->n_axes = n_axes;
  return RF_OK;
}

static rf_status check_axes(const rf_check *check, int64_t padded) {
  const rf_positions_config *positions = &check->config->model.positions;
  if (positions->kind != RF_POSITIONS_AXIAL) return RF_OK;
  int64_t width = 0, places = 1;
  for (int axis = 0; axis < positions->n_axes; axis++) {
    width += positions->dims[axis];
    /* Enough is enough: the product of four axes could overflow. */
    places = places >= padded ? places : places * positions->shape[axis];
  }
  char list[128];
  if (width != check->config->model.d_model) {
    return refuse_key(check, "model.positions.dims", "found %s, whose sum is %lld; allowed: a sum of d_model = %lld",
                      write_list(positions->dims, positions->n_axes, list, sizeof list), (long long)width,
                      (long long)check->config->model.d_model);
  }
  if (places < padded) {
    int64_t shape[RF_MAX_AXES];
    char better[128];
    suggest_shape(positions->n_axes, padded, shape);
    return refuse_key(
        check, "model.positions.shape",
        "found %s, which has %lld places; allowed: at least the %lld tokens of a (padded) sequence, such as "
        "%s, or auto",
        write_list(positions->shape, positions->n_axes, list, sizeof list), (long long)places, (long long)padded,
        write_list(shape, positions->n_axes, better, sizeof better));
  }
  return RF_OK;
}

static rf_status check_length(const rf_check *check, int64_t padded) {
  int64_t length = check->config->data.length;
  if (padded > RF_RNG_MAX_POSITION) {
    return refuse_key(
        check, "data.length",
        "found %lld, which the chunks pad to %lld; allowed: at most %d padded; use chunk lengths whose least "
        "common multiple is small",
        (long long)length, (long long)padded, RF_RNG_MAX_POSITION);
  }
  if (padded > length + length / 4) {
    warn_of_key(check, "data.length", "%lld tokens are padded to %lld, a multiple of the chunk lengths: time is wasted",
                (long long)length, (long long)padded);
  }
  return RF_OK;
}

/* Buckets and chunks are numbered over all rounds, by an int32_t. */
static rf_status check_rounds(const rf_check *check, int64_t buckets, int64_t padded) {
  const rf_lsh_config *lsh = &check->config->lsh;
  const int64_t rounds = lsh->n_hashes, chunks = rounds * (padded / lsh->chunk);
  const int64_t most = (INT32_MAX - 1) / rounds - 1; /* and the padding bucket of each */
  if (buckets > most) {
    return refuse_key(check, "lsh.n_buckets", "found %lld in each of lsh.n_hashes = %lld rounds; allowed: at most %lld",
                      (long long)buckets, (long long)rounds, (long long)most);
  }
  if (chunks > INT32_MAX) {
    return refuse_key(
        check, "lsh.chunk",
        "found %lld, which cuts lsh.n_hashes = %lld rounds of %lld tokens in %lld chunks; allowed: at least "
        "%lld",
        (long long)lsh->chunk, (long long)rounds, (long long)padded, (long long)chunks,
        (long long)(rounds * padded / INT32_MAX + 1));
  }
  return RF_OK;
}

/* The histogram (comm/histogram.h) numbers what all heads and sequences of a step meet by an uint32_t. Waves are so
 * small that it never does so badly where buckets are no more than tokens. */
static rf_status check_histogram(const rf_check *check, int64_t buckets, int64_t padded) {
  const rf_training_config *training = &check->config->training;
  const int64_t sequences = (training->batch + training->accumulate - 1) / training->accumulate;
  const int64_t pairs = check->config->model.n_heads * sequences;
  int64_t most = UINT32_MAX / check->config->lsh.n_hashes / pairs - 1;
  if (most < padded) most = padded;
  if (buckets <= most) return RF_OK;
  return refuse_key(
      check, "lsh.n_buckets",
      "found %lld, with lsh.n_hashes = %lld, model.n_heads = %lld and %lld sequences at once; allowed: at "
      "most %lld",
      (long long)buckets, (long long)check->config->lsh.n_hashes, (long long)check->config->model.n_heads,
      (long long)sequences, (long long)most);
}

static rf_status settle_buckets(const rf_check *check, int64_t padded) {
  rf_lsh_config *lsh = &check->config->lsh;
  if (!uses(check->config, RF_ATTENTION_LSH)) return RF_OK;
  rf_resolve_buckets(lsh, padded);
  int64_t buckets = 1;
  for (int i = 0; i < lsh->n_factors; i++) {
    buckets *= lsh->n_buckets[i];
    if (buckets > MOST_BUCKETS) {
      return refuse_key(check, "lsh.n_buckets", "found a product above %d; allowed: at most that, or auto",
                        MOST_BUCKETS);
    }
  }
  RF_TRY(check_rounds(check, buckets, padded));
  RF_TRY(check_histogram(check, buckets, padded));
  if (buckets > padded) {
    warn_of_key(check, "lsh.n_buckets", "%lld buckets for %lld tokens: most stay empty", (long long)buckets,
                (long long)padded);
  }
  return RF_OK;
}

static void check_window(const rf_check *check, const char *path, rf_attention_kind kind, int64_t chunks,
                         int64_t before, int64_t after) {
  if (!uses(check->config, kind) || chunks <= 1 || before + 1 + after <= chunks) return;
  warn_of_key(check, path, "a window of %lld chunks laps the ring of %lld: some keys are seen twice",
              (long long)(before + 1 + after), (long long)chunks);
}

static void check_windows(const rf_check *check, int64_t padded) {
  const rf_lsh_config *lsh = &check->config->lsh;
  const rf_local_config *local = &check->config->local;
  int64_t lsh_chunks = check->config->data.length > lsh->chunk ? lsh->n_hashes * (padded / lsh->chunk) : 1;
  check_window(check, "lsh.chunks_before", RF_ATTENTION_LSH, lsh_chunks, lsh->chunks_before, lsh->chunks_after);
  check_window(check, "local.chunks_before", RF_ATTENTION_LOCAL, padded / local->chunk, local->chunks_before,
               local->chunks_after);
  if (uses(check->config, RF_ATTENTION_LOCAL) && check->config->model.causal && local->chunks_after > 0) {
    warn_of_key(check, "local.chunks_after", "a causal model sees nothing after a token: time is wasted");
  }
}

static rf_status check_data(const rf_check *check) {
  const rf_config *config = check->config;
  const rf_data_config *data = &config->data;
  int64_t least_vocab = data->kind == RF_DATA_BYTES ? 256 : data->kind == RF_DATA_DUPLICATE ? 128 : 2;
  if (config->model.vocab_size < least_vocab) {
    return refuse_key(check, "model.vocab_size", "found %lld; allowed: at least %lld where data.kind is %s",
                      (long long)config->model.vocab_size, (long long)least_vocab,
                      data->kind == RF_DATA_BYTES ? "bytes" : "duplicate (symbols 0 to 127)");
  }
  if (data->kind == RF_DATA_TOKENS && data->token_bytes == 2 && config->model.vocab_size > 65536) {
    return refuse_key(
        check, "data.token_bytes",
        "found 2, whose ids end at 65535, for model.vocab_size = %lld; allowed: 4, with ids of 4 bytes in the "
        "file, or a vocabulary of at most 65536",
        (long long)config->model.vocab_size);
  }
  if (data->kind == RF_DATA_DUPLICATE) {
    if (data->length < 4 || data->length % 2 != 0) {
      return refuse_key(check, "data.length",
                        "found %lld; allowed: an even number of at least 4, as the duplicate task is two equal halves",
                        (long long)data->length);
    }
    return RF_OK;
  }
  if (data->path[0] == '\0') {
    return refuse_key(check, "data.path",
                      "found nothing; allowed: the path of a file, where data.kind is bytes or tokens");
  }
  double sum = data->split[0] + data->split[1] + data->split[2];
  char text[32];
  if (sum > 1 + 1e-9) {
    return refuse_key(check, "data.split", "found a sum of %s; allowed: at most 1",
                      rf_text_real(sum, text, sizeof text));
  }
  if (data->split[0] <= 0) return refuse_key(check, "data.split", "found no training share; allowed: above 0");
  return RF_OK;
}

static rf_status settle_training(const rf_check *check) {
  const rf_training_config *training = &check->config->training;
  rf_optimizer_config *optimizer = &check->config->optimizer;
  if (isnan(optimizer->beta1)) optimizer->beta1 = optimizer->kind == RF_ADAM ? 0.9 : 0;
  if (training->batch % training->accumulate != 0) {
    return refuse_key(check, "training.accumulate", "found %lld; allowed: a divisor of training.batch = %lld",
                      (long long)training->accumulate, (long long)training->batch);
  }
  if (optimizer->warmup > training->steps) {
    return refuse_key(check, "optimizer.warmup", "found %lld; allowed: at most training.steps = %lld",
                      (long long)optimizer->warmup, (long long)training->steps);
  }
  return RF_OK;
}

/* Set to something else than the default, so that whoever wrote it expects an effect. */
static bool is_changed(const rf_check *check, int index, const rf_config *defaults) {
  const rf_key *key = rf_key_at(index);
  int items = rf_key_items(key, check->config);
  if (check->origin->line[index] == 0 || !key->initial) return false;
  if (items != rf_key_items(key, defaults)) return true;
  for (int i = 0; i < items; i++) {
    char now[RF_MAX_ITEM], then[RF_MAX_ITEM];
    if (strcmp(rf_key_item(key, check->config, i, now), rf_key_item(key, defaults, i, then)) != 0) return true;
  }
  return false;
}

static void warn_without_effect(const rf_check *check) {
  const rf_config *config = check->config;
  bool adam = config->optimizer.kind == RF_ADAM, axial = config->model.positions.kind == RF_POSITIONS_AXIAL;
  bool shaped = axial || config->model.positions.kind == RF_POSITIONS_LEARNED;
  bool tokens = config->data.kind == RF_DATA_TOKENS, file = config->data.kind != RF_DATA_DUPLICATE;
  bool evaluates = config->data.split[1] > 0 || !file;
  bool ends = config->optimizer.schedule == RF_SCHEDULE_COSINE || config->optimizer.schedule == RF_SCHEDULE_LINEAR;
  const struct {
    const char *path;
    bool has_effect;
    const char *needs;
  } rows[] = {
      {"model.positions.shape", shaped, "model.positions.kind: axial or learned"},
      {"model.positions.dims", axial, "model.positions.kind: axial"},
      {"data.path", file, "data.kind: bytes or tokens"},
      {"data.token_bytes", tokens, "data.kind: tokens"},
      {"data.split", file, "data.kind: bytes or tokens"},
      {"training.eval_every", evaluates, "a validation share in data.split"},
      {"optimizer.lr_end", ends, "optimizer.schedule: cosine or linear"},
      {"optimizer.eps", adam, "optimizer.kind: adam"},
      {"optimizer.beta2", adam, "optimizer.kind: adam"},
      {"optimizer.decay_exponent", !adam, "optimizer.kind: adafactor"},
      {"optimizer.clip_threshold", !adam, "optimizer.kind: adafactor"},
      {"optimizer.factor_eps", !adam, "optimizer.kind: adafactor"},
      {"optimizer.scale_eps", !adam, "optimizer.kind: adafactor"},
      {"optimizer.relative_step", !adam, "optimizer.kind: adafactor"},
      {"optimizer.scale_parameter", !adam, "optimizer.kind: adafactor"},
  };
  rf_config defaults;
  if (rf_config_defaults(&defaults) != RF_OK) return;
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    if (rows[i].has_effect || !is_changed(check, rf_key_index(rows[i].path), &defaults)) continue;
    warn_of_key(check, rows[i].path, "has no effect here; it needs %s", rows[i].needs);
  }
}

static rf_status settle_all(const rf_check *check) {
  rf_config *config = check->config;
  int64_t padded = rf_padded_length(config, config->data.length);
  RF_TRY(settle_widths(check));
  RF_TRY(check_length(check, padded));
  RF_TRY(settle_axes(check, padded));
  RF_TRY(check_axes(check, padded));
  RF_TRY(settle_buckets(check, padded));
  RF_TRY(check_data(check));
  RF_TRY(settle_training(check));
  check_windows(check, padded);
  if (!check->silent) warn_without_effect(check);
  return RF_OK;
}

rf_status rf_config_settle(rf_config *config, const rf_origin *origin) {
  const rf_check check = {.config = config, .origin = origin};
  return settle_all(&check);
}

rf_status rf_config_settle_filled(const char *name, rf_config *config) {
  rf_origin origin = {.file = name};
  for (int i = 0; i < RF_MAX_KEYS; i++) origin.line[i] = RF_LINE_FILLED;
  const rf_check check = {.config = config, .origin = &origin, .silent = true};
  RF_TRY(rf_config_check_ranges(name, config));
  return settle_all(&check);
}

rf_status rf_config_check_training(const char *file, const rf_config *config) {
  int64_t n;
  if (config->output.sample_tokens > 0)
    RF_TRY(rf_context(rf_sample_prompt(config, NULL, &n), "%s: output.sample_prompt", file));
  if (config->model.causal) return RF_OK;
  return rf_fail(RF_BAD_CONFIG,
                 "%s: model.causal: found false; allowed: true where a model is trained (training predicts the next "
                 "token, which a model that is not causal sees)",
                 file);
}
