#include "base/hash.h"
#include "cli/commands.h"
#include "comm/mesh.h"
#include "reformer/checkpoint.h"
#include <inttypes.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

enum { MAX_HASH = 32 };

static int64_t count_parameters(const rf_layout *layout) {
  int64_t count = 0;
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) count += rf_tensor_count(&layout->blocks[b].tensors[t]);
  return count;
}

static const char *precision(const rf_checkpoint_info *info) { return info->real_bytes == 8 ? "double" : "float"; }

/* Of its samples, as one number to compare. hash: MAX_HASH bytes. */
static const char *hash_of_samples(const rf_data_identity *data, char *hash) {
  (void)snprintf(hash, MAX_HASH, "%016" PRIx64, rf_hash(data->hash, sizeof data->hash));
  return hash;
}

static void print_text(const char *folder, const rf_checkpoint_info *info) {
  const rf_layout *layout = info->layout;
  char hash[MAX_HASH];
  printf("%s: checkpoint of step %lld, version %d, attempt %s\n", folder, (long long)info->header.step, info->version,
         info->attempt);
  printf("%lld parameters in %s, %lld bytes in all; seed %llu; written by %d rank%s (%lld x %lld)\n",
         (long long)count_parameters(layout), precision(info), (long long)info->bytes,
         (unsigned long long)info->header.seed, info->ranks, info->ranks > 1 ? "s" : "",
         (long long)info->header.mesh_sequence, (long long)info->header.mesh_data);
  if (!isnan(info->header.eval_loss)) printf("validation loss %.6g\n", info->header.eval_loss);
  if (info->header.machine[0] != '\0') printf("computed by %s\n", info->header.machine);
  if (info->header.data.bytes > 0)
    printf("trained on data of %lld bytes, samples %s\n", (long long)info->header.data.bytes,
           hash_of_samples(&info->header.data, hash));
  printf("holds:");
  for (int k = 0; k < info->n_kinds; k++) printf(" %s", info->kinds[k]);
  printf("\n\n");
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[t];
      printf("%-48s ", tensor->name);
      for (int d = 0; d < tensor->n_dims; d++) printf("%s%lld", d > 0 ? " x " : "", (long long)tensor->shape[d]);
      printf("\n");
    }
  printf("\n%s", info->header.config);
}

static json_t *list_tensors(const rf_layout *layout) {
  json_t *list = json_array();
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[t];
      json_t *shape = json_array();
      for (int d = 0; d < tensor->n_dims; d++) json_array_append_new(shape, json_integer(tensor->shape[d]));
      json_array_append_new(
          list, json_pack("{s:s, s:s, s:o}", "name", tensor->name, "block", layout->blocks[b].name, "shape", shape));
    }
  return list;
}

static json_t *json_of_data(const rf_data_identity *data) {
  char hash[MAX_HASH];
  if (data->bytes == 0) return json_null();
  return json_pack("{s:I, s:s}", "bytes", (json_int_t)data->bytes, "samples", hash_of_samples(data, hash));
}

static rf_status print_json(const rf_checkpoint_info *info) {
  json_t *kinds = json_array();
  char seed[32]; /* does not fit a JSON integer */
  snprintf(seed, sizeof seed, "%llu", (unsigned long long)info->header.seed);
  for (int k = 0; k < info->n_kinds; k++) json_array_append_new(kinds, json_string(info->kinds[k]));
  json_t *all = json_pack(
      "{s:i, s:s, s:I, s:s, s:o, s:s, s:s, s:i, s:I, s:I, s:I, s:I, s:o, s:o, s:s, s:o}", "version", info->version,
      "attempt", info->attempt, "step", (json_int_t)info->header.step, "machine", info->header.machine, "eval_loss",
      isnan(info->header.eval_loss) ? json_null() : json_real(info->header.eval_loss), "seed", seed, "precision",
      precision(info), "ranks", info->ranks, "mesh_sequence", (json_int_t)info->header.mesh_sequence, "mesh_data",
      (json_int_t)info->header.mesh_data, "bytes", (json_int_t)info->bytes, "parameters",
      (json_int_t)count_parameters(info->layout), "holds", kinds, "tensors", list_tensors(info->layout), "config",
      info->header.config, "data", json_of_data(&info->header.data));
  char *text = all ? json_dumps(all, JSON_INDENT(2)) : NULL;
  json_decref(all);
  if (!text) return rf_fail(RF_FAILED, "inspect: out of memory, or a configuration that is no UTF-8");
  puts(text);
  free(text);
  return RF_OK;
}

static rf_status run_inspect(const rf_arguments *arguments) {
  rf_checkpoint *checkpoint;
  RF_TRY(rf_checkpoint_open(arguments->operand[0], &checkpoint));
  rf_status status = RF_OK;
  if (rf_mpi_rank() == 0) {
    const rf_checkpoint_info *info = rf_checkpoint_info_of(checkpoint);
    if (rf_arguments_value(arguments, "json"))
      status = print_json(info);
    else
      print_text(arguments->operand[0], info);
  }
  rf_checkpoint_close(checkpoint);
  return status;
}

static const rf_option options[] = {{"json", 'j', NULL, "print JSON"}, RF_OPTIONS_ALWAYS};

const rf_command rf_command_inspect = {
    .name = "inspect",
    .operands = {"CHECKPOINT", NULL},
    .summary = "shows what is in a checkpoint",
    .description =
        "Prints step, seed, mesh, tensors with their shapes, and the configuration, on standard output. The\n"
        "shards' numbers are not read: reformer verify checks those.",
    .options = options,
    .ranks = RF_RANKS_ONE,
    .run = run_inspect,
};
