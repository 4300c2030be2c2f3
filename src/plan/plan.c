#include "plan/plan.h"
#include "base/integers.h"
#include "kernel/parallel.h"
#include "model/stash.h"
#include "plan/batch.h"
#include "plan/figures.h"
#include "plan/growth.h"
#include "plan/json_file.h"
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum { MOST_MESHES = 64 };
static const double large_part = 0.05; /* of a step: it is told */

typedef struct plan {
  const rf_config *config;
  const rf_plan_options *options;
  int64_t sequence, data;
  rf_plan_stash stash;
  rf_plan_memory memory;
  rf_plan_traffic traffic;
  rf_plan_time time;
  int64_t longest; /* 0: not known, or none */
  struct {
    int64_t sequence, data;
    double seconds;
    bool fits;
  } meshes[MOST_MESHES];
  int n_meshes, fastest; /* -1: none */
} plan;

static double mib(double bytes) { return bytes / 1048576; }

/* Every way to make the ranks a mesh that the batch divides over. */
static rf_status try_meshes(plan *p) {
  const rf_training_config *training = &p->config->training;
  p->fastest = -1;
  for (int64_t s = 1; s <= p->options->ranks && p->n_meshes < MOST_MESHES; s++) {
    const int64_t d = p->options->ranks / s;
    if (p->options->ranks % s != 0 || !rf_batch_divides(training->batch, training->accumulate, d)) continue;
    rf_plan_memory memory;
    rf_plan_time time;
    rf_plan_stash stash;
    const int i = p->n_meshes++;
    RF_TRY(rf_plan_stash_create(p->config, s, d, p->options->memory, &stash));
    rf_status status = rf_plan_memory_most(p->config, s, d, &stash, &memory);
    if (status == RF_OK) status = rf_plan_time_of(p->config, s, d, &stash, p->options->cluster, &time);
    rf_plan_stash_destroy(&stash);
    RF_TRY(status);
    p->meshes[i].sequence = s;
    p->meshes[i].data = d;
    p->meshes[i].seconds = time.total;
    p->meshes[i].fits = p->options->memory <= 0 || (double)memory.total <= p->options->memory;
    if (p->meshes[i].fits && (p->fastest < 0 || time.total < p->meshes[p->fastest].seconds)) p->fastest = i;
  }
  return RF_OK;
}

static rf_status compute_plan(plan *p) {
  RF_TRY(rf_mesh_fit(p->options->ranks, p->config->mesh.sequence, p->config->mesh.data, &p->data));
  p->sequence = p->options->ranks / p->data;
  RF_TRY(rf_plan_stash_create(p->config, p->sequence, p->data, p->options->memory, &p->stash));
  RF_TRY(rf_plan_memory_most(p->config, p->sequence, p->data, &p->stash, &p->memory));
  RF_TRY(rf_plan_traffic_of(p->config, p->sequence, p->data, &p->stash, &p->traffic));
  if (p->options->memory > 0) RF_TRY(rf_plan_longest(p->config, p->sequence, p->data, p->options->memory, &p->longest));
  if (!p->options->cluster) return RF_OK;
  RF_TRY(rf_plan_time_of(p->config, p->sequence, p->data, &p->stash, p->options->cluster, &p->time));
  return try_meshes(p);
}

/* --- memory --- */

/* What a rank's memory is made of. */
static const struct part {
  const char *name, *what; /* in JSON and the table; what it holds */
  size_t offset;           /* of its bytes in rf_plan_memory */
} parts[] = {
#define PART(name, field, what)                                                                                        \
  { name, what, offsetof(rf_plan_memory, field) }
    PART("parameters", store.parameters, "shards of the parameters"),
    PART("gradients", store.gradients, "shards of the gradients"),
    PART("slots", store.slots, "full vectors of two blocks, parameters and gradients"),
    PART("optimizer", optimizer, "optimizer's state"),
    PART("streams", model.streams, "activations between layers, and their gradients"),
    PART("saved", model.buckets, "hash buckets"),
    PART("kept", model.stash, "what training.memory_limit keeps for the backward pass"),
    PART("activations", model.activations, "ordinary residuals: every sublayer's input"),
    PART("attention", model.attention, "transients of waves *"),
    PART("feed_forward", model.feed_forward, "transients *"),
    PART("head", model.head, "transients of the head *"),
    PART("plans", model.plans, "plans of exchanges"),
    PART("messages", model.messages, "rows on their way"),
    PART("sequences", sequences, "token ids and labels"),
    PART("checkpoint", checkpoint, "copy that is written while training goes on"),
    PART("process", process, "program, libraries, MPI"),
};

enum { PARTS = sizeof parts / sizeof *parts };

static size_t bytes_of_part(const rf_plan_memory *m, const struct part *part) {
  return *(const size_t *)(const void *)((const char *)m + part->offset);
}

static void print_plan_memory(const plan *p) {
  char stash[256];
  printf("memory of the rank with most, MiB\n");
  for (int i = 0; i < PARTS; i++) {
    const double bytes = (double)bytes_of_part(&p->memory, &parts[i]);
    if (bytes > 0) printf("  %-14s %12.1f  %s\n", parts[i].name, mib(bytes), parts[i].what);
  }
  printf("  %-14s %12.1f  (* of these the largest counts)\n", "in all", mib((double)p->memory.total));
  if (p->stash.summary.bytes > 0)
    printf("  kept of %" PRId64 " layers: %s\n", p->config->model.n_layers,
           rf_stash_describe(&p->stash.summary, stash, sizeof stash));
  if (p->options->memory <= 0) return;
  printf("  %-14s %12.1f  %s\n", "may take", mib(p->options->memory),
         (double)p->memory.total <= p->options->memory ? "it fits" : "it does NOT fit");
  if (p->longest > 0)
    printf("  the longest sequence that fits on %" PRId64 " x %" PRId64 " ranks has %" PRId64 " tokens\n", p->sequence,
           p->data, p->longest);
  else
    printf("  no sequence fits on %" PRId64 " x %" PRId64 " ranks\n", p->sequence, p->data);
}

static void print_plan_traffic(const plan *p) {
  if (p->options->ranks == 1) return;
  printf("bytes of a step, all ranks, MiB\n");
  for (int i = 0; i < RF_TRAFFIC_PURPOSES; i++)
    printf("  %-14s %12.3f\n", rf_traffic_name((rf_traffic)i), mib(p->traffic.bytes[i]));
  if (p->traffic.rows_a_token > 0)
    printf("  remote owners of a token and head: %.3f; at most %" PRId64 ", however many ranks\n",
           p->traffic.rows_a_token, p->config->lsh.n_hashes);
}

static void print_plan_time(const plan *p) {
  const rf_plan_time *t = &p->time;
  if (!p->options->cluster) {
    printf("time: not known; measure the machine with reformer bench cluster -o FILE, and give --cluster FILE\n");
    return;
  }
  printf("time of a step, ms of a rank (of it waiting)\n");
  for (int i = 0; i < RF_PHASES; i++)
    if (t->seconds[i] > 0)
      printf("  %-14s %12.3f  (%.3f)\n", rf_phase_name((rf_phase)i), t->seconds[i] * 1e3, t->waited[i] * 1e3);
  printf("  %-14s %12.3f  %.0f tokens/s; what limits it: %s\n", "in all", t->total * 1e3, t->tokens / t->total,
         t->limit);
  if (t->moving > large_part * t->total)
    printf(
        "  %-14s %12.3f  of it, in which processors move messages: %.0f %%; only a network with an engine of its own\n"
        "  %-14s %12s  (verbs, UCX) takes none of their time\n",
        "messages", t->moving * 1e3, 100 * t->moving / t->total, "", "");
  const double state = (double)(p->memory.store.parameters + p->memory.optimizer);
  if (p->options->cluster->disk > 0)
    printf("  a checkpoint of %.1f MiB a rank is written in %.3f s%s\n", mib(state), state / p->options->cluster->disk,
           p->config->checkpoint.async ? ", while training goes on" : "");
  printf("  meshes of so many ranks, ms of a step\n");
  for (int i = 0; i < p->n_meshes; i++)
    printf("  %5" PRId64 " x %-5" PRId64 " %14.3f%s%s\n", p->meshes[i].sequence, p->meshes[i].data,
           p->meshes[i].seconds * 1e3, i == p->fastest ? "  fastest" : "",
           p->meshes[i].fits ? "" : "  does not fit the memory");
}

/* --- JSON --- */

static json_t *memory_to_json(const plan *p) {
  json_t *memory = json_object();
  for (int i = 0; i < PARTS; i++)
    json_object_set_new(memory, parts[i].name, json_integer((json_int_t)bytes_of_part(&p->memory, &parts[i])));
  json_object_set_new(memory, "total", json_integer((json_int_t)p->memory.total));
  json_object_set_new(
      memory, "store",
      json_integer((json_int_t)(p->memory.store.parameters + p->memory.store.gradients + p->memory.store.slots)));
  json_object_set_new(memory, "scratch", json_integer((json_int_t)p->memory.model.scratch));
  return memory;
}

static json_t *plan_to_json(const plan *p, json_t *growth) {
  json_t *object =
      json_pack("{s:I, s:I, s:I, s:I, s:o, s:o, s:f, s:o}", "ranks", (json_int_t)p->options->ranks, "mesh_sequence",
                (json_int_t)p->sequence, "mesh_data", (json_int_t)p->data, "longest_length", (json_int_t)p->longest,
                "memory", memory_to_json(p), "bytes", rf_figures_of_bytes(p->traffic.bytes), "rows_per_token",
                p->traffic.rows_a_token, "growth", growth);
  if (p->options->cluster) {
    json_object_set_new(object, "step_seconds", json_real(p->time.total));
    json_object_set_new(object, "tokens_per_second", json_real(p->time.tokens / p->time.total));
    json_object_set_new(object, "message_processor_seconds", json_real(p->time.moving));
    json_object_set_new(object, "limit", json_string(p->time.limit));
    json_object_set_new(object, "phase_seconds", rf_figures_of_phases(p->time.seconds));
    json_object_set_new(object, "phase_wait_seconds", rf_figures_of_phases(p->time.waited));
    if (p->fastest >= 0)
      json_object_set_new(object, "fastest_sequence", json_integer((json_int_t)p->meshes[p->fastest].sequence));
  }
  return object;
}

static rf_status print_plan(plan *p) {
  const rf_config *config = p->config;
  const rf_plan_options *options = p->options;
  rf_growth growth;
  RF_TRY(rf_json_file_check(options->json_path));
  RF_TRY(compute_plan(p));
  RF_TRY(rf_growth_compute(config, p->sequence, options->memory, options->cluster, &growth));
  printf("plan of %" PRId64 " ranks (%" PRId64 " share a sequence, %" PRId64 " groups), sequences of %" PRId64
         " tokens, %" PRId64 " a step, %d threads a rank\n",
         options->ranks, p->sequence, p->data, config->data.length, config->training.batch,
         options->cluster ? options->cluster->threads : rf_threads());
  print_plan_memory(p);
  print_plan_traffic(p);
  print_plan_time(p);
  rf_growth_print(&growth);
  return rf_json_file_write(plan_to_json(p, rf_growth_to_json(&growth)), options->json_path);
}

rf_status rf_plan_print(const rf_config *config, const rf_plan_options *options) {
  plan p = {.config = config, .options = options};
  const rf_status status = print_plan(&p);
  rf_plan_stash_destroy(&p.stash);
  return status;
}
