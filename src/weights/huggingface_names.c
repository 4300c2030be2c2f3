#include "weights/huggingface_names.h"
#include "base/text.h"
#include <limits.h>
#include <stdio.h>
#include <string.h>

/* Every model has it once, and its name in full is known. */
static const char anchor[] = "reformer.embeddings.word_embeddings.weight";

/* Bytes in front of the anchor, in the first name that ends in it; 0: none does, or nothing stands in front of it. */
static size_t prefix_length(const rf_safetensors *file, const char **name) {
  for (int64_t i = 0; i < file->n_tensors; i++) {
    const size_t length = strlen(file->tensors[i].name), end = strlen(anchor);
    *name = file->tensors[i].name;
    if (length >= end && strcmp(*name + (length - end), anchor) == 0) return length - end;
  }
  return 0;
}

rf_status rf_huggingface_cut_prefix(rf_safetensors *file, char *prefix) {
  const char *first = "";
  const size_t length = prefix_length(file, &first);
  (void)snprintf(prefix, RF_MAX_SAFE_NAME, "%.*s", (int)length, first);
  for (int64_t i = 0; i < file->n_tensors; i++) {
    if (strncmp(file->tensors[i].name, prefix, length) == 0) continue;
    return rf_fail(
        RF_BAD_DATA,
        "%s: tensor %s: its name does not begin with '%s', as that of %s%s does; allowed: the tensors of one "
        "model, with the same words in front of all names or none",
        file->path, file->tensors[i].name, prefix, prefix, anchor);
  }
  for (int64_t i = 0; i < file->n_tensors; i++) {
    char *name = file->tensors[i].name;
    memmove(name, name + length, strlen(name + length) + 1);
  }
  return RF_OK;
}

/* What both begin with says nothing, and would fill the letters that are compared. */
static int distance_of(const char *a, const char *b) {
  for (; *a != '\0' && *a == *b; a++) b++;
  return rf_text_distance(a, b);
}

const char *rf_huggingface_name_hint(const rf_safetensors *file, const bool *used, const char *missing, char *text) {
  const char *nearest = NULL;
  int least = INT_MAX;
  for (int64_t i = 0; i < file->n_tensors; i++) {
    const char *name = file->tensors[i].name;
    if (strcmp(name, anchor + strlen("reformer.")) == 0) {
      (void)snprintf(text, RF_MAX_NAME_HINT,
                     "; these are the names of a ReformerModel, which has no head: save the "
                     "ReformerModelWithLMHead that it is part of");
      return text;
    }
    const int distance = used[i] ? INT_MAX : distance_of(name, missing);
    if (distance >= least) continue;
    least = distance;
    nearest = name;
  }
  text[0] = '\0';
  if (nearest) (void)snprintf(text, RF_MAX_NAME_HINT, "; the nearest name there is %s", nearest);
  return text;
}
