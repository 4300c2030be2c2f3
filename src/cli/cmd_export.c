#include "base/log.h"
#include "cli/commands.h"
#include "cli/saved_model.h"
#include "weights/huggingface.h"
#include <string.h>

static rf_status read_dtype(const char *text, rf_dtype *dtype) {
  static const char *const names[] = {"f64", "f32", "f16", "bf16"};
  *dtype = RF_REAL_DTYPE;
  if (!text) return RF_OK;
  for (int i = 0; i < 4; i++) {
    if (strcmp(text, names[i]) != 0) continue;
    *dtype = (rf_dtype)i;
    return RF_OK;
  }
  return rf_fail(RF_BAD_CONFIG, "--dtype: found '%.64s'; allowed: f64, f32, f16, bf16", text);
}

/* What their code cannot be told to do. The weights are the same all the same. */
static void warn_of_rules(const rf_config *config) {
  const rf_lsh_config *lsh = &config->lsh;
  const struct {
    bool differs;
    const char *key;
  } rules[] = {{lsh->key_norm != RF_KEYS_RMS, "lsh.key_norm"},
               {lsh->duplicates != RF_DUPLICATES_KEEP, "lsh.duplicates"},
               {!lsh->attend_across_buckets, "lsh.attend_across_buckets"},
               {lsh->mask_padding_queries, "lsh.mask_padding_queries"},
               {lsh->rotations == RF_ROTATIONS_SHARED, "lsh.rotations"}};
  for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
    if (rules[i].differs)
      rf_log_warn(
          "%s: the value of this model has no counterpart in HuggingFace's Reformer, which will compute something "
          "else from the same weights",
          rules[i].key);
}

static rf_status export_weights(const rf_arguments *arguments, rf_checkpoint *checkpoint, const char *path,
                                rf_dtype dtype) {
  const bool force = rf_arguments_value(arguments, "force") != NULL;
  rf_config config;
  rf_model *model;
  RF_TRY(rf_saved_config(arguments->operand[0], checkpoint, NULL, 0, &config));
  RF_TRY(rf_huggingface_check(&config));
  warn_of_rules(&config);
  RF_TRY(rf_saved_model(checkpoint, &config, &model));
  const rf_status status = rf_huggingface_export(path, force, dtype, &config, rf_model_store(model));
  rf_model_destroy(model);
  if (status == RF_OK) rf_log_info("%s (%s), with config.json beside it", path, rf_dtype_name(dtype));
  return status;
}

static rf_status run_export(const rf_arguments *arguments) {
  const char *path = rf_arguments_value(arguments, "output");
  rf_dtype dtype;
  rf_checkpoint *checkpoint;
  if (!path || path[0] == '\0')
    return rf_fail(RF_BAD_CONFIG, "reformer export: -o MODEL.safetensors is missing: the file to be made");
  RF_TRY(read_dtype(rf_arguments_value(arguments, "dtype"), &dtype));
  /* A config.json may be that of another model: nothing is written over unasked. */
  RF_TRY(rf_huggingface_export_check(path, rf_arguments_value(arguments, "force") != NULL));
  RF_TRY(rf_saved_open(arguments->operand[0], &checkpoint));
  const rf_status status = export_weights(arguments, checkpoint, path, dtype);
  rf_checkpoint_close(checkpoint);
  return status;
}

static const rf_option options[] = {
    {"output", 'o', "MODEL.safetensors", "the file to be made"},
    {"dtype", 't', "f64|f32|f16|bf16", "type of the numbers; else as the program computes"},
    {"force", 'f', NULL, "write over what exists"},
    RF_OPTIONS_ALWAYS};

const rf_command rf_command_export = {
    .name = "export",
    .operands = {"CHECKPOINT", NULL},
    .summary = "writes a checkpoint as HuggingFace's Reformer weights",
    .description = "Writes the parameters of CHECKPOINT under the names and shapes of HuggingFace's Reformer, and\n"
                   "config.json beside them. What was imported comes out with the same bytes where --dtype is the\n"
                   "type that it had.",
    .options = options,
    .ranks = RF_RANKS_ONE,
    .run = run_export,
};
