#include "base/log.h"
#include "base/recognise.h"
#include "cli/commands.h"
#include "reformer/checkpoint.h"
#include "reformer/config_file.h"
#include "reformer/model.h"
#include "weights/huggingface.h"
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

static rf_status save_imported(const char *folder, const rf_config *config, rf_store *store) {
  char *text;
  rf_state state;
  RF_TRY(rf_config_emit(config, &text));
  const rf_checkpoint_header header = {
      .config = text, .seed = config->training.seed, .mesh_sequence = 1, .mesh_data = 1, .eval_loss = NAN};
  rf_status status = rf_state_create(store, NULL, &state);
  if (status == RF_OK) status = rf_checkpoint_save(folder, NULL, &header, rf_store_layout(store), &state);
  rf_state_destroy(&state);
  free(text);
  return status;
}

static rf_status import_weights(const char *path, const rf_config *config, const char *folder) {
  rf_model *model;
  rf_import_report report;
  RF_TRY(rf_model_create(config, NULL, &model));
  rf_status status = rf_huggingface_import(path, config, rf_model_store(model), &report);
  if (status == RF_OK) status = save_imported(folder, config, rf_model_store(model));
  if (status == RF_OK) {
    rf_log_info("%s: %lld tensors with %lld parameters imported as %s (%lld others hold none)", path,
                (long long)report.tensors, (long long)rf_store_parameters(rf_model_store(model)), folder,
                (long long)report.left_out);
    if (report.prefix[0] != '\0') rf_log_info("%s: every name began with '%s', which was cut off", path, report.prefix);
    if (report.rounded > 0)
      rf_log_warn("%s: %lld numbers were rounded to %s; the double build (-DRF_DOUBLE=ON) keeps them", path,
                  (long long)report.rounded, RF_REAL_NAME);
  }
  rf_model_destroy(model);
  return status;
}

static rf_status run_import(const rf_arguments *arguments) {
  const char *folder = rf_arguments_value(arguments, "output");
  struct stat about;
  rf_config config;
  if (!folder || folder[0] == '\0')
    return rf_fail(RF_BAD_CONFIG, "reformer import: -o CHECKPOINT is missing: the folder to be made");
  if (lstat(folder, &about) == 0)
    return rf_fail(RF_BAD_CONFIG, "-o %s: exists already; remove it, or name another folder", folder);
  if (errno != ENOENT)
    return rf_fail(RF_BAD_CONFIG, "-o %s: cannot be made: %s; name another folder", folder, strerror(errno));
  const rf_recognised *what = rf_recognise_file(arguments->operand[1]);
  if (what && what->content == RF_CONTENT_WEIGHTS)
    return rf_fail(RF_BAD_CONFIG, "%s: is %s, where CONFIG belongs; allowed: reformer import MODEL.safetensors CONFIG",
                   arguments->operand[1], what->name);
  RF_TRY(rf_config_load(NULL, arguments->operand[1], arguments->sets, arguments->n_sets, &config));
  rf_status status = rf_huggingface_check(&config);
  if (status != RF_OK) return rf_context(RF_BAD_CONFIG, "%s", arguments->operand[1]);
  return import_weights(arguments->operand[0], &config, folder);
}

static const rf_option options[] = {
    RF_OPTION_SET, {"output", 'o', "CHECKPOINT", "the folder to be made"}, RF_OPTIONS_ALWAYS};

const rf_command rf_command_import = {
    .name = "import",
    .operands = {"MODEL.safetensors", "CONFIG", NULL},
    .summary = "makes a checkpoint of HuggingFace's Reformer weights",
    .description =
        "Reads the weights of a Reformer of HuggingFace's transformers (causal or masked language model, its\n"
        "names and shapes) into the model that CONFIG describes, and saves it as a checkpoint of step 0.\n"
        "Every tensor must be there, and fit; a tensor that is none of the model's is an error.",
    .options = options,
    .ranks = RF_RANKS_ONE,
    .run = run_import,
};
