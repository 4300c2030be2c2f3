#include "weights/huggingface.h"
#include "base/text.h"
#include "checkpoint/bearer.h"
#include "storage/files.h"
#include "weights/huggingface_names.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- names and shapes ----------------------------------------------------------------------------- */

typedef struct name_pair {
  const char *ours, *theirs;
} name_pair;

static const name_pair of_model[] = {
    {"embedding.token.weight", "reformer.embeddings.word_embeddings.weight"},
    {"embedding.position.weight", "reformer.embeddings.position_embeddings.embedding.weight"},
    {"head.norm.scale", "reformer.encoder.layer_norm.weight"},
    {"head.norm.bias", "reformer.encoder.layer_norm.bias"},
    {"head.weight", "lm_head.decoder.weight"},
    {"head.bias", "lm_head.bias"},
    {NULL, NULL},
};

static const name_pair of_layer[] = {
    {"attention.norm.scale", "attention.layer_norm.weight"},
    {"attention.norm.bias", "attention.layer_norm.bias"},
    {"attention.query_key.weight", "attention.self_attention.query_key.weight"},
    {"attention.query.weight", "attention.self_attention.query.weight"},
    {"attention.key.weight", "attention.self_attention.key.weight"},
    {"attention.value.weight", "attention.self_attention.value.weight"},
    {"attention.output.weight", "attention.output.dense.weight"},
    {"feed_forward.norm.scale", "feed_forward.layer_norm.weight"},
    {"feed_forward.norm.bias", "feed_forward.layer_norm.bias"},
    {"feed_forward.inner.weight", "feed_forward.dense.dense.weight"},
    {"feed_forward.inner.bias", "feed_forward.dense.dense.bias"},
    {"feed_forward.outer.weight", "feed_forward.output.dense.weight"},
    {"feed_forward.outer.bias", "feed_forward.output.dense.bias"},
    {NULL, NULL},
};

static const char *theirs_of(const name_pair *pairs, const char *ours) {
  for (; pairs->ours; pairs++)
    if (strcmp(pairs->ours, ours) == 0) return pairs->theirs;
  return NULL;
}

/* Their view of one of our tensors. */
typedef struct tensor_view {
  char name[RF_MAX_SAFE_NAME];
  int n_dims;
  int64_t shape[RF_SAFETENSORS_DIMS];
} tensor_view;

/* Row embeddings of an axis stretch over the others: (1, .., n, .., 1, d). */
static void view_axis(const rf_tensor *tensor, int axis, int n_axes, tensor_view *view) {
  snprintf(view->name, sizeof view->name, "reformer.embeddings.position_embeddings.weights.%d", axis);
  view->n_dims = n_axes + 1;
  for (int a = 0; a < n_axes; a++) view->shape[a] = a == axis ? tensor->shape[0] : 1;
  view->shape[n_axes] = tensor->shape[1];
}

static void view_of(const rf_config *config, const rf_tensor *tensor, tensor_view *view) {
  int layer, axis, length = 0;
  *view = (tensor_view){.n_dims = tensor->n_dims};
  for (int d = 0; d < tensor->n_dims; d++) view->shape[d] = tensor->shape[d];
  if (sscanf(tensor->name, "embedding.position.axis%d", &axis) == 1) {
    view_axis(tensor, axis, config->model.positions.n_axes, view);
    return;
  }
  const bool in_layer = sscanf(tensor->name, "layers.%d.%n", &layer, &length) == 1 && length > 0;
  const char *theirs = theirs_of(in_layer ? of_layer : of_model, tensor->name + length);
  assert(theirs); /* rf_huggingface_check has passed */
  if (in_layer)
    snprintf(view->name, sizeof view->name, "reformer.encoder.layers.%d.%s", layer, theirs);
  else
    snprintf(view->name, sizeof view->name, "%s", theirs);
}

static rf_status refuse_model(const char *key, const char *found, const char *allowed) {
  return rf_fail(RF_BAD_DATA, "%s: found %s; allowed where weights go to or come from HuggingFace: %s", key, found,
                 allowed);
}

rf_status rf_huggingface_check(const rf_config *config) {
  const rf_model_config *m = &config->model;
  for (int64_t i = 0; i < m->n_layers && i < m->n_attention; i++)
    if (rf_layer_attention(m, i) == RF_ATTENTION_FULL) return refuse_model("model.attention", "full", "lsh, local");
  if (m->residual != RF_RESIDUAL_REVERSIBLE) return refuse_model("model.residual", "ordinary", "reversible");
  if (m->tied_embedding) return refuse_model("model.tied_embedding", "true", "false");
  if (m->positions.kind != RF_POSITIONS_AXIAL && m->positions.kind != RF_POSITIONS_LEARNED)
    return refuse_model("model.positions.kind", "a kind that their Reformer lacks", "axial, learned");
  return RF_OK;
}

/* --- import --------------------------------------------------------------------------------------- */

static bool ends_with(const char *text, const char *end) {
  const size_t n = strlen(text), m = strlen(end);
  return n >= m && strcmp(text + (n - m), end) == 0;
}

/* Constants that their modules register as buffers. */
static bool is_buffer(const char *name) {
  static const char *const ends[] = {"self_attention.self_mask_value_float16", "self_attention.self_mask_value_float32",
                                     "self_attention.mask_value_float16", "self_attention.mask_value_float32"};
  for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
    if (strncmp(name, "reformer.encoder.layers.", 24) == 0 && ends_with(name, ends[i])) return true;
  return false;
}

/* The head's bias has two names in their module; a file may hold either, or both. */
static const char second_bias[] = "lm_head.decoder.bias";

typedef struct importer {
  const rf_config *config;
  rf_safetensors file;
  rf_store *store;
  rf_import_report *report;
  bool *used; /* [n_tensors] of the file */
} importer;

static const rf_safetensor *find_source(importer *im, const tensor_view *view) {
  const rf_safetensor *tensor = rf_safetensors_find(&im->file, view->name);
  const rf_safetensor *second =
      strcmp(view->name, "lm_head.bias") == 0 ? rf_safetensors_find(&im->file, second_bias) : NULL;
  if (!tensor) tensor = second;
  if (tensor) im->used[tensor - im->file.tensors] = true;
  return tensor;
}

/* One by name, with what may be meant by it, and how many more. */
static rf_status check_all_there(importer *im) {
  const rf_layout *layout = rf_store_layout(im->store);
  const rf_tensor *first = NULL;
  int missing = 0, tensors = 0;
  tensor_view view;
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++, tensors++) {
      view_of(im->config, &layout->blocks[b].tensors[t], &view);
      if (find_source(im, &view)) continue;
      if (missing++ == 0) first = &layout->blocks[b].tensors[t];
    }
  if (!first) return RF_OK;
  char hint[RF_MAX_NAME_HINT], more[64] = "";
  view_of(im->config, first, &view);
  if (missing > 1) (void)snprintf(more, sizeof more, ", and so are %d more of %d", missing - 1, tensors);
  return rf_fail(RF_BAD_DATA, "%s: tensor %s is missing%s; the configuration asks for it (%s)%s", im->file.path,
                 view.name, more, first->name, rf_huggingface_name_hint(&im->file, im->used, view.name, hint));
}

static rf_status import_tensor(importer *im, int block, const rf_tensor *tensor) {
  tensor_view view;
  view_of(im->config, tensor, &view);
  const rf_safetensor *source = find_source(im, &view);
  assert(source); /* check_all_there has passed */
  bool same = source->n_dims == view.n_dims;
  for (int d = 0; same && d < view.n_dims; d++) same = source->shape[d] == view.shape[d];
  if (!same) {
    char found[128], wanted[128];
    return rf_fail(RF_BAD_DATA, "%s: tensor %s: found shape [%s]; the configuration asks for [%s]", im->file.path,
                   source->name, rf_text_list(source->n_dims, source->shape, found, sizeof found),
                   rf_text_list(view.n_dims, view.shape, wanted, sizeof wanted));
  }
  const rf_shard shard = rf_store_shard(im->store, block);
  assert(shard.first == 0 && shard.count == rf_store_layout(im->store)->blocks[block].size);
  im->report->tensors++;
  return rf_safetensors_read(&im->file, source, shard.params + tensor->offset, &im->report->rounded);
}

/* Both names of the bias must mean the same numbers. */
static rf_status check_second_bias(importer *im, const rf_safetensor *second) {
  const rf_safetensor *first = rf_safetensors_find(&im->file, "lm_head.bias");
  bool same = first && first->dtype == second->dtype && first->count == second->count;
  real *a = same ? malloc(2 * (size_t)first->count * sizeof *a + 1) : NULL;
  if (same && !a) return rf_fail(RF_FAILED, "%s: out of memory", im->file.path);
  int64_t rounded = 0;
  rf_status status = RF_OK;
  if (same) status = rf_safetensors_read(&im->file, first, a, &rounded);
  if (same && status == RF_OK) status = rf_safetensors_read(&im->file, second, a + first->count, &rounded);
  for (int64_t i = 0; same && status == RF_OK && i < first->count; i++) same = a[i] == a[first->count + i];
  free(a);
  RF_TRY(status);
  return same ? RF_OK
              : rf_fail(RF_BAD_DATA, "%s: tensor %s: differs from lm_head.bias, which is the same parameter",
                        im->file.path, second_bias);
}

/* What nobody asked for must be something known. */
static rf_status check_surplus(importer *im) {
  for (int64_t i = 0; i < im->file.n_tensors; i++) {
    const rf_safetensor *tensor = &im->file.tensors[i];
    if (im->used[i]) continue;
    im->report->left_out++;
    if (is_buffer(tensor->name)) continue;
    if (strcmp(tensor->name, second_bias) == 0) {
      RF_TRY(check_second_bias(im, tensor));
      continue;
    }
    return rf_fail(RF_BAD_DATA, "%s: tensor %s has no place in the configuration's model", im->file.path, tensor->name);
  }
  return RF_OK;
}

static rf_status import_all(importer *im) {
  const rf_layout *layout = rf_store_layout(im->store);
  im->used = calloc((size_t)im->file.n_tensors + 1, sizeof *im->used);
  if (!im->used) return rf_fail(RF_FAILED, "%s: out of memory", im->file.path);
  RF_TRY(rf_huggingface_cut_prefix(&im->file, im->report->prefix));
  RF_TRY(check_all_there(im));
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++) RF_TRY(import_tensor(im, b, &layout->blocks[b].tensors[t]));
  return check_surplus(im);
}

rf_status rf_huggingface_import(const char *path, const rf_config *config, rf_store *store, rf_import_report *report) {
  importer im = {.config = config, .store = store, .report = report};
  *report = (rf_import_report){0};
  RF_TRY(rf_huggingface_check(config));
  RF_TRY(rf_safetensors_open(path, &im.file));
  const rf_status status = import_all(&im);
  free(im.used);
  rf_safetensors_close(&im.file);
  return status;
}

/* --- export --------------------------------------------------------------------------------------- */

static const rf_output_kind config_kind = {.what = "a configuration", .check_folder = rf_bearer_check_file};

rf_status rf_huggingface_export_check(const char *path, bool force) {
  char config_path[RF_MAX_PATH];
  RF_TRY(rf_output_check(path, &rf_safetensors_kind, force));
  RF_TRY(rf_huggingface_config_path(path, config_path));
  RF_TRY(rf_output_check(config_path, &config_kind, force));
  const char *slash = strrchr(path, '/');
  const bool same = strcmp(slash ? slash + 1 : path, "config.json") == 0;
  if (same) return rf_fail(RF_BAD_CONFIG, "%s: is where the configuration goes; name another file", path);
  return rf_output_differs(path, config_path, "the configuration beside it");
}

static rf_status write_config(const rf_output *output, const rf_config *config, rf_dtype dtype) {
  char *text = rf_huggingface_config(config, dtype);
  const rf_status status = text ? rf_file_write(output->file, output->path, 0, text, (int64_t)strlen(text))
                                : rf_fail(RF_FAILED, "%s: out of memory", output->path);
  free(text);
  return status;
}

static void list_sources(const rf_config *config, const rf_store *store, tensor_view *views, rf_safe_source *sources) {
  const rf_layout *layout = rf_store_layout(store);
  for (int b = 0; b < layout->n_blocks; b++)
    for (int t = 0; t < layout->blocks[b].n_tensors; t++, views++, sources++) {
      const rf_tensor *tensor = &layout->blocks[b].tensors[t];
      view_of(config, tensor, views);
      *sources = (rf_safe_source){
          .name = views->name, .n_dims = views->n_dims, .values = rf_store_shard(store, b).params + tensor->offset};
      memcpy(sources->shape, views->shape, sizeof views->shape);
    }
}

static rf_status write_model(const char *path, bool force, rf_dtype dtype, const rf_config *config,
                             const rf_store *store) {
  int n = 0;
  const rf_layout *layout = rf_store_layout(store);
  for (int b = 0; b < layout->n_blocks; b++) n += layout->blocks[b].n_tensors;
  tensor_view *views = calloc((size_t)n + 1, sizeof *views);
  rf_safe_source *sources = calloc((size_t)n + 1, sizeof *sources);
  rf_status status = views && sources ? RF_OK : rf_fail(RF_FAILED, "%s: out of memory", path);
  if (status == RF_OK) list_sources(config, store, views, sources);
  if (status == RF_OK) status = rf_safetensors_write(path, force, dtype, n, sources);
  free(views);
  free(sources);
  return status;
}

/* The small file is written before the large one, so that what can fail has failed before either gets its name; it gets
 * its own last. */
rf_status rf_huggingface_export(const char *path, bool force, rf_dtype dtype, const rf_config *config,
                                const rf_store *store) {
  char config_path[RF_MAX_PATH];
  rf_output output;
  RF_TRY(rf_huggingface_check(config));
  RF_TRY(rf_huggingface_config_path(path, config_path));
  RF_TRY(rf_output_open(config_path, &config_kind, force, &output));
  rf_status status = write_config(&output, config, dtype);
  if (status == RF_OK) status = write_model(path, force, dtype, config, store);
  if (status == RF_OK) return rf_context(rf_output_finish(&output), "%s is written, but not its configuration", path);
  rf_output_abandon(&output);
  return status;
}
