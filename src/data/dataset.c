#include "reformer/dataset.h"

#include "base/log.h"
#include "base/recognise.h"
#include "data/duplicate.h"
#include "data/identity.h"
#include "data/sampler.h"
#include "data/source.h"

#include <assert.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

struct rf_dataset {
  rf_data_config config;
  uint64_t seed;
  rf_source source;   /* bytes, tokens */
  rf_sampler sampler; /* bytes, tokens */
};

static rf_status open_duplicate(const rf_data_config *config, int64_t vocab_size) {
  if (config->length < 4 || config->length % 2 != 0)
    return rf_fail(RF_BAD_CONFIG,
                   "data.length is %" PRId64 ", but data.kind duplicate needs an even length of 4 or more",
                   config->length);
  if (vocab_size <= RF_DUPLICATE_SYMBOLS)
    return rf_fail(RF_BAD_CONFIG, "model.vocab_size is %" PRId64 ", but data.kind duplicate needs %d or more",
                   vocab_size, RF_DUPLICATE_SYMBOLS + 1);
  return RF_OK;
}

static rf_status open_data_file(rf_dataset *dataset, int64_t vocab_size) {
  const rf_data_config *config = &dataset->config;
  bool bytes = config->kind == RF_DATA_BYTES;
  if (bytes && vocab_size < 256)
    return rf_fail(RF_BAD_CONFIG, "model.vocab_size is %" PRId64 ", but data.kind bytes needs 256 or more", vocab_size);
  RF_TRY(rf_source_open(config->path, bytes ? 1 : config->token_bytes, vocab_size, &dataset->source));
  dataset->sampler = rf_sampler_create(dataset->source.tokens, config->split, config->length, dataset->seed);
  char text[RF_MAX_SHORTAGE];
  if (!rf_dataset_shortage(dataset, RF_SPLIT_TRAIN, text)) return RF_OK;
  return rf_fail(RF_BAD_DATA, "%s: %s; lower data.length, raise the first part of data.split, or give a longer file",
                 config->path, text);
}

rf_status rf_dataset_open(const rf_data_config *config, int64_t vocab_size, uint64_t seed, rf_dataset **dataset_out) {
  *dataset_out = NULL;
  assert(config->length > 0);
  rf_dataset *dataset = calloc(1, sizeof *dataset);
  if (!dataset) return rf_fail(RF_FAILED, "dataset: out of memory");
  dataset->config = *config;
  dataset->seed = seed;
  dataset->source.file = -1;
  rf_status status =
      config->kind == RF_DATA_DUPLICATE ? open_duplicate(config, vocab_size) : open_data_file(dataset, vocab_size);
  if (status != RF_OK) {
    rf_dataset_destroy(dataset);
    return rf_error_pass(status, __FILE__, __LINE__);
  }
  *dataset_out = dataset;
  return RF_OK;
}

void rf_dataset_destroy(rf_dataset *dataset) {
  if (!dataset) return;
  rf_source_close(&dataset->source);
  free(dataset);
}

rf_status rf_dataset_identify(const rf_dataset *dataset, rf_data_identity *identity) {
  *identity = (rf_data_identity){0};
  return dataset->config.kind == RF_DATA_DUPLICATE ? RF_OK : rf_source_identify(&dataset->source, identity);
}

rf_status rf_dataset_compare(const rf_dataset *dataset, const rf_data_identity *before, rf_data_change *change) {
  *change = RF_DATA_SAME;
  if (dataset->config.kind == RF_DATA_DUPLICATE || before->bytes == 0) return RF_OK;
  return rf_source_compare(&dataset->source, before, change);
}

static bool is_split(rf_split split) {
  return split == RF_SPLIT_TRAIN || split == RF_SPLIT_VALIDATION || split == RF_SPLIT_TEST;
}

int64_t rf_dataset_sequences(const rf_dataset *dataset, rf_split split) {
  if (!is_split(split)) return 0;
  if (dataset->config.kind != RF_DATA_DUPLICATE) return rf_sampler_sequences(&dataset->sampler, split);
  return split == RF_SPLIT_TRAIN ? RF_DUPLICATE_EPOCH : RF_DUPLICATE_EVALUATION;
}

static const char *const split_names[] = {"training", "validation", "test"};

const char *rf_dataset_shortage(const rf_dataset *dataset, rf_split split, char *text) {
  const rf_data_config *config = &dataset->config;
  const int64_t *edges = dataset->sampler.edges;
  if (!is_split(split)) return NULL;
  if (rf_dataset_sequences(dataset, split) > 0 || !(config->split[split] > 0)) return NULL;
  (void)snprintf(text, RF_MAX_SHORTAGE,
                 "%s: %" PRId64 " tokens (data.split: %g of %" PRId64 "), and one sequence needs %" PRId64
                 " (data.length)",
                 split_names[split], edges[split + 1] - edges[split], config->split[split], dataset->source.tokens,
                 config->length);
  return text;
}

static void warn_of_bytes(const rf_dataset *dataset) {
  const char *path = dataset->config.path;
  const rf_source *source = &dataset->source;
  unsigned char head[RF_HEAD_BYTES];
  int64_t zeros = 0, n = source->tokens < RF_HEAD_BYTES ? source->tokens : RF_HEAD_BYTES;
  if (rf_source_bytes(source, 0, n, head) != RF_OK) return; /* the first step will tell */
  const rf_recognised *what = rf_recognise(head, (size_t)n);
  for (int64_t i = 0; i < n; i++) zeros += head[i] == 0;
  if (what)
    rf_log_warn("%s: is %s, and its bytes are taken as they stand%s%s", path, what->name,
                what->remedy ? "; if that was not meant, " : "", what->remedy ? what->remedy : "");
  else if (rf_is_wide_text(head, (size_t)n) != RF_WIDE_NONE)
    rf_log_warn("%s: is text in UTF-16, every second byte of which says little: iconv -f UTF-16 -t UTF-8 halves it",
                path);
  else if (8 * zeros > n)
    rf_log_warn("%s: %" PRId64 " of its first %" PRId64 " bytes are 0, which no text has: if these are ids of tokens, "
                "set data.kind: tokens",
                path, zeros, n);
}

static void warn_of_tokens(const rf_dataset *dataset) {
  const rf_source *source = &dataset->source;
  unsigned char head[RF_HEAD_BYTES];
  const int64_t all = source->tokens * source->token_bytes, n = all < RF_HEAD_BYTES ? all : RF_HEAD_BYTES;
  if (source->token_bytes != 2 || rf_source_bytes(source, 0, n, head) != RF_OK) return; /* the first step will tell */
  if (rf_is_wide_text(head, (size_t)n) == RF_WIDE_LETTERS)
    rf_log_warn(
        "%s: its first tokens are the numbers of letters, as in text in UTF-16; if it is such, make bytes of it "
        "with iconv -f UTF-16LE -t UTF-8, and set data.kind: bytes",
        dataset->config.path);
}

static void warn_of_splits(const rf_dataset *dataset, int64_t batch) {
  const char *path = dataset->config.path;
  char text[RF_MAX_SHORTAGE];
  if (rf_dataset_shortage(dataset, RF_SPLIT_VALIDATION, text))
    rf_log_warn("%s: %s: nothing is evaluated, and no checkpoint is the best; lower data.length, raise the second part "
                "of data.split, or give a longer file",
                path, text);
  if (rf_dataset_shortage(dataset, RF_SPLIT_TEST, text)) rf_log_warn("%s: %s: it is not evaluated", path, text);
  const int64_t unused = dataset->source.tokens - dataset->sampler.edges[3];
  if (unused > 0)
    rf_log_warn("%s: the shares of data.split leave %" PRId64 " of its %" PRId64 " tokens unused", path, unused,
                dataset->source.tokens);
  const int64_t train = rf_dataset_sequences(dataset, RF_SPLIT_TRAIN);
  if (train < batch)
    rf_log_warn("%s: %" PRId64 " sequences of %" PRId64 " tokens (data.length) are for training, and a step takes "
                "%" PRId64 " (training.batch): it sees some more than once",
                path, train, dataset->config.length, batch);
}

void rf_dataset_warn(const rf_dataset *dataset, int64_t batch) {
  if (dataset->config.kind == RF_DATA_DUPLICATE) return;
  if (dataset->config.kind == RF_DATA_BYTES) warn_of_bytes(dataset);
  if (dataset->config.kind == RF_DATA_TOKENS) warn_of_tokens(dataset);
  if (batch > 0) warn_of_splits(dataset, batch);
}

/* Tokens [first, first + count) of a sequence, count >= 0. */
static rf_status read_tokens(const rf_dataset *dataset, rf_split split, uint64_t index, int64_t first, int64_t count,
                             int32_t *tokens) {
  if (dataset->config.kind == RF_DATA_DUPLICATE) {
    for (int64_t t = 0; t < count; t++)
      tokens[t] = rf_duplicate_token(dataset->seed, split, index, dataset->config.length, first + t);
    return RF_OK;
  }
  int64_t start = rf_sampler_start(&dataset->sampler, split, index);
  return rf_source_read(&dataset->source, start + first, count, tokens);
}

rf_status rf_dataset_read(const rf_dataset *dataset, rf_split split, uint64_t index, int64_t first, int64_t count,
                          int32_t *tokens, int32_t *labels) {
  const int64_t length = dataset->config.length;
  if (!is_split(split)) return rf_fail(RF_BAD_CONFIG, "found split %d; allowed: those of rf_split", (int)split);
  assert(first >= 0 && count >= 0 && first + count <= length);
  if (rf_dataset_sequences(dataset, split) == 0)
    return rf_fail(RF_BAD_DATA, "%s: data.split leaves no sequence of %" PRId64 " tokens (data.length) for %s",
                   dataset->config.path, length, split_names[split]);
  RF_TRY(read_tokens(dataset, split, index, first, count, tokens));
  if (count == 0) return RF_OK;
  /* The label of the last token read is one token further, unless the sequence ends there. */
  int32_t next = RF_IGNORE;
  if (first + count < length) RF_TRY(read_tokens(dataset, split, index, first + count, 1, &next));
  int64_t counted_from = dataset->config.kind == RF_DATA_DUPLICATE ? length / 2 : 0; /* position of the target */
  for (int64_t t = 0; t < count; t++) {
    int32_t target = t + 1 < count ? tokens[t + 1] : next;
    labels[t] = first + t + 1 < counted_from ? RF_IGNORE : target;
  }
  return RF_OK;
}
