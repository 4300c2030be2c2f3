#include "plan/rates.h"
#include "base/plain_file.h"
#include <stddef.h>
#include <string.h>
#include <unistd.h>

/* Every number of the file. */
static const struct {
  const char *name;
  size_t offset;
  bool optional;
} numbers[] = {
#define NUMBER(name, field)                                                                                            \
  { name, offsetof(rf_rates, field), false }
#define OPTIONAL(name, field)                                                                                          \
  { name, offsetof(rf_rates, field), true }
    NUMBER("peak_operations_per_second", peak),
    NUMBER("projections_operations_per_second", projections),
    NUMBER("output_operations_per_second", output),
    NUMBER("feed_forward_operations_per_second", feed_forward),
    NUMBER("head_operations_per_second", head),
    NUMBER("lsh_operations_per_second", lsh),
    NUMBER("local_operations_per_second", local),
    NUMBER("full_operations_per_second", full),
    NUMBER("hashing_operations_per_second", hashing),
    NUMBER("plan_seconds_per_item", plan_item),
    NUMBER("embedding_seconds_per_value", embedding_value),
    NUMBER("other_seconds_per_value", other_value),
    NUMBER("optimizer_seconds_per_parameter", parameter),
    NUMBER("exchange_seconds_per_byte", move_byte),
    NUMBER("overlap", overlap),
    NUMBER("within_host_latency_seconds", within.latency),
    NUMBER("within_host_bytes_per_second", within.rate),
    NUMBER("between_hosts_latency_seconds", between.latency),
    NUMBER("between_hosts_bytes_per_second", between.rate),
    NUMBER("disk_bytes_per_second", disk),
    /* Files from before they were measured count them as nothing. */
    OPTIONAL("within_host_processor_seconds_per_message", within.message),
    OPTIONAL("within_host_processor_seconds_per_byte", within.byte),
    OPTIONAL("between_hosts_processor_seconds_per_message", between.message),
    OPTIONAL("between_hosts_processor_seconds_per_byte", between.byte),
};

static const struct {
  const char *name;
  size_t offset;
} counts[] = {{"ranks", offsetof(rf_rates, ranks)},
              {"threads", offsetof(rf_rates, threads)},
              {"hosts", offsetof(rf_rates, hosts)}};

static double *rate_at(rf_rates *c, size_t i) { return (double *)(void *)((char *)c + numbers[i].offset); }
static int *rates_count_at(rf_rates *c, size_t i) { return (int *)(void *)((char *)c + counts[i].offset); }

json_t *rf_rates_to_json(const rf_rates *rates) {
  rf_rates c = *rates;
  json_t *object = json_object();
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
    json_object_set_new(object, counts[i].name, json_integer(*rates_count_at(&c, i)));
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
    json_object_set_new(object, numbers[i].name, json_real(*rate_at(&c, i)));
  json_object_set_new(object, "precision", json_string(rf_precision_names[c.precision]));
  return object;
}

static rf_status read_rates(const json_t *object, const char *path, rf_rates *c) {
  for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
    const json_t *value = json_object_get(object, counts[i].name);
    if (!json_is_integer(value) || json_integer_value(value) < 1 || json_integer_value(value) > 1 << 24)
      return rf_fail(RF_BAD_CONFIG, "%s: %s: found no whole number from 1; measure it with reformer bench cluster",
                     path, counts[i].name);
    *rates_count_at(c, i) = (int)json_integer_value(value);
  }
  for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
    const json_t *value = json_object_get(object, numbers[i].name);
    if (!value && numbers[i].optional) continue;
    if (!json_is_number(value) || json_number_value(value) < 0)
      return rf_fail(RF_BAD_CONFIG, "%s: %s: found no number of at least 0; measure it with reformer bench cluster",
                     path, numbers[i].name);
    *rate_at(c, i) = json_number_value(value);
  }
  return RF_OK;
}

static rf_status read_precision(const json_t *object, const char *path, rf_rates *c) {
  const json_t *value = json_object_get(object, "precision");
  if (!value) return RF_OK;
  for (int p = 0; rf_precision_names[p]; p++) {
    if (!json_is_string(value) || strcmp(json_string_value(value), rf_precision_names[p]) != 0) continue;
    c->precision = (rf_precision)p;
    return RF_OK;
  }
  return rf_fail(RF_BAD_CONFIG, "%s: precision: found no precision; allowed: \"full\", \"bf16\"", path);
}

rf_status rf_rates_read(const char *path, rf_rates *cluster) {
  json_error_t error;
  int file;
  int64_t size;
  *cluster = (rf_rates){0};
  if (rf_file_open(path, &file, &size) != RF_OK)
    return rf_fail(RF_BAD_CONFIG, "%s; allowed: a file that reformer bench cluster wrote", rf_error_message());
  json_t *object = json_loadfd(file, 0, &error);
  (void)close(file);
  if (!object)
    return rf_fail(RF_BAD_CONFIG, "%s: line %d: %s; allowed: a file that reformer bench cluster wrote", path,
                   error.line, error.text);
  rf_status status = read_rates(object, path, cluster);
  if (status == RF_OK) status = read_precision(object, path, cluster);
  json_decref(object);
  return status;
}
