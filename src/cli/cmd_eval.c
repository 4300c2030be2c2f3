#include "base/log.h"
#include "cli/commands.h"
#include "cli/saved_model.h"
#include "reformer/rng.h"
#include "storage/output.h"
#include "train/evaluate.h"
#include "train/inputs.h"
#include "train/score.h"
#include "weights/logits_file.h"
#include <stdio.h>
#include <string.h>

/* A path as a value of YAML: 'quoted', with quotes doubled. setting: 2 * RF_MAX_PATH + 32 bytes. */
static rf_status quote_path(const char *path, char *setting) {
  if (path[0] == '\0' || strlen(path) >= RF_MAX_PATH)
    return rf_fail(RF_BAD_CONFIG, "--data: found a path of %zu bytes; allowed: 1 to %d", strlen(path), RF_MAX_PATH - 1);
  char *to = stpcpy(setting, "data.path='");
  for (; *path != '\0'; path++) {
    if (*path == '\'') *to++ = '\'';
    *to++ = *path;
  }
  strcpy(to, "'");
  return RF_OK;
}

/* The checkpoint's configuration as this evaluation wants it. */
static rf_status read_eval_config(const rf_arguments *arguments, const rf_checkpoint *checkpoint, rf_config *config) {
  const char *sets[RF_MAX_SETS + 1], *path = rf_arguments_value(arguments, "data");
  char setting[2 * RF_MAX_PATH + 32];
  int n = arguments->n_sets;
  memcpy(sets, arguments->sets, (size_t)n * sizeof *sets);
  if (path) {
    RF_TRY(quote_path(path, setting));
    sets[n++] = setting;
  }
  RF_TRY(rf_saved_config(arguments->operand[0], checkpoint, sets, n, config));
  if (path && config->data.kind == RF_DATA_DUPLICATE)
    return rf_fail(
        RF_BAD_CONFIG,
        "--data: found '%.64s' where data.kind is duplicate, which reads no file; leave it out, or add --set "
        "data.kind=bytes or tokens",
        path);
  RF_TRY(rf_arguments_int(arguments, "hashes", 1, RF_RNG_MAX_ROUNDS, config->lsh.n_hashes, &config->lsh.n_hashes));
  if (!path) return RF_OK;
  /* The file is there to be evaluated on: all of it is one split. */
  config->data.split[RF_SPLIT_TRAIN] = config->data.split[RF_SPLIT_VALIDATION] = 0;
  config->data.split[RF_SPLIT_TEST] = 1;
  config->training.eval_batches = 0;
  return RF_OK;
}

static rf_status say_split(rf_model *model, const rf_dataset *dataset, rf_split split, const char *name) {
  const rf_config *config = rf_model_config_of(model);
  rf_arena *arena;
  rf_sequences sequences;
  RF_TRY(rf_arena_create("evaluation", 0, &arena));
  rf_status status =
      rf_sequences_take(config, NULL, config->training.batch, config->training.accumulate, arena, &sequences);
  if (status == RF_OK) status = rf_evaluate_say(model, dataset, split, &sequences, NULL, name);
  rf_arena_destroy(arena);
  return status;
}

/* Nothing evaluated is no success. what: a file, or splits. */
static rf_status refuse_nothing(const rf_config *config, const char *what, const char *remedy) {
  return rf_fail(RF_BAD_DATA, "%s: no sequence of %lld tokens (data.length); %s", what, (long long)config->data.length,
                 remedy);
}

static rf_status say_eval_splits(rf_model *model, const rf_dataset *dataset) {
  static const struct {
    rf_split split;
    const char *name;
  } splits[] = {{RF_SPLIT_VALIDATION, "validation"}, {RF_SPLIT_TEST, "test"}};
  int evaluated = 0;
  for (size_t i = 0; i < sizeof splits / sizeof *splits; i++) {
    char text[RF_MAX_SHORTAGE];
    if (rf_dataset_shortage(dataset, splits[i].split, text)) rf_log_warn("%s: it is not evaluated", text);
    if (rf_dataset_sequences(dataset, splits[i].split) == 0) continue;
    RF_TRY(say_split(model, dataset, splits[i].split, splits[i].name));
    evaluated++;
  }
  if (evaluated > 0) return RF_OK;
  return refuse_nothing(rf_model_config_of(model), "validation and test",
                        "lower it, change data.split, or name a file with --data");
}

/* With --data the whole file, else the validation and the test split; --logits writes the file's or the validation
 * split's. */
static rf_status evaluate_splits(const rf_arguments *arguments, rf_model *model, const rf_dataset *dataset) {
  const char *path = rf_arguments_value(arguments, "data"), *logits = rf_arguments_value(arguments, "logits");
  const rf_split split = path ? RF_SPLIT_TEST : RF_SPLIT_VALIDATION;
  const char *name = path ? path : "validation";
  if (!path && !logits) return say_eval_splits(model, dataset);
  if (rf_dataset_sequences(dataset, split) == 0)
    return refuse_nothing(rf_model_config_of(model), name,
                          path ? "lower it, or give a longer file"
                               : "lower it, change data.split, or name a file with --data");
  if (!logits) return say_split(model, dataset, split, name);
  rf_loss loss;
  const rf_logits_place place = {.path = logits, .force = rf_arguments_value(arguments, "force") != NULL};
  RF_TRY(rf_score(model, dataset, split, &place, &loss));
  rf_loss_say(model, name, &loss);
  rf_log_info("logits, token_loss and loss of %lld sequences in %s", (long long)rf_dataset_sequences(dataset, split),
              logits);
  return RF_OK;
}

/* Before the work: --logits leads to a file that may be made, and that nothing is read from. */
static rf_status check_logits(const rf_arguments *arguments, const rf_config *config) {
  const char *logits = rf_arguments_value(arguments, "logits");
  if (!logits) return RF_OK;
  RF_TRY(rf_output_check(logits, &rf_logits_kind, rf_arguments_value(arguments, "force") != NULL));
  RF_TRY(rf_output_differs(logits, config->data.path, "data.path"));
  return rf_output_differs(logits, config->lsh.rotations_file, "lsh.rotations");
}

static rf_status evaluate_checkpoint(const rf_arguments *arguments, rf_checkpoint *checkpoint) {
  rf_config config;
  rf_model *model = NULL;
  rf_dataset *dataset = NULL;
  RF_TRY(read_eval_config(arguments, checkpoint, &config));
  RF_TRY(check_logits(arguments, &config));
  RF_TRY(rf_dataset_open(&config.data, config.model.vocab_size, config.training.seed, &dataset));
  rf_dataset_warn(dataset, 0);
  const rf_checkpoint_header *header = &rf_checkpoint_info_of(checkpoint)->header;
  rf_status status = rf_saved_model(checkpoint, &config, &model);
  if (status == RF_OK && !rf_arguments_value(arguments, "data"))
    status = rf_inputs_warn(&config, dataset, &header->data, header->step);
  if (status == RF_OK) status = evaluate_splits(arguments, model, dataset);
  rf_model_destroy(model);
  rf_dataset_destroy(dataset);
  return status;
}

static rf_status run_eval(const rf_arguments *arguments) {
  const char *logits = rf_arguments_value(arguments, "logits");
  int64_t hashes;
  rf_checkpoint *checkpoint;
  if (logits && logits[0] == '\0') return rf_fail(RF_BAD_CONFIG, "--logits: found an empty path");
  RF_TRY(rf_arguments_int(arguments, "hashes", 1, RF_RNG_MAX_ROUNDS, 1, &hashes));
  RF_TRY(rf_saved_open(arguments->operand[0], &checkpoint));
  const rf_status status = evaluate_checkpoint(arguments, checkpoint);
  rf_checkpoint_close(checkpoint);
  return status;
}

static const rf_option options[] = {RF_OPTION_SET,
                                    {"data", 'd', "PATH", "evaluate on all whole sequences of this file"},
                                    {"hashes", 'n', "N", "evaluate with so many rounds of hashing"},
                                    {"logits", 'l', "FILE.h5", "write logits, token_loss and loss"},
                                    {"force", 'f', NULL, "write over a FILE.h5 that exists"},
                                    RF_OPTIONS_ALWAYS};

const rf_command rf_command_eval = {
    .name = "eval",
    .operands = {"CHECKPOINT", NULL},
    .summary = "evaluates a checkpoint, on its own or on other data",
    .description =
        "Evaluates the model of CHECKPOINT under its own configuration, which --set changes: without --data\n"
        "on the validation and the test split, with --data on every whole sequence of data.length in the\n"
        "file, in order (--set data.kind=tokens for raw tokens of data.token_bytes bytes).\n"
        "--logits writes the data sets logits (sequences, length, vocab), token_loss (sequences, length;\n"
        "NaN where a token is not counted) and loss (the mean) of the file or the validation split. A\n"
        "causal model predicts the next token; any other one the token in each place.",
    .options = options,
    .ranks = RF_RANKS_ONE,
    .run = run_eval,
};
