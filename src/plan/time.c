#include "plan/time.h"
#include "model/blocks.h"
#include "model/operations.h"
#include <math.h>

/* A step as seen from one rank. */
typedef struct stage {
  const rf_config *config;
  const rf_plan_stash *stash;
  const rf_rates *c;
  int64_t sequence, data;
  double ranks, tokens; /* all ranks; of a step, of this rank */
  rf_plan_time *t;
  double bandwidth, latency; /* seconds that go to each, waited for */
} stage;

static double seconds_for(double amount, double rate) { return rate > 0 ? amount / rate : 0; }

/* Where one kind of link was not measured, all are of the other. */
static const rf_link *link_within(const rf_rates *c) { return c->within.rate > 0 ? &c->within : &c->between; }
static const rf_link *link_between(const rf_rates *c) { return c->between.rate > 0 ? &c->between : &c->within; }

/* Of a rank's partners, spread evenly over a group of neighbouring ranks, the share on its own host. */
static double share_within(const stage *s, int64_t group) {
  const double on_host = fmin((double)group, ceil((double)s->c->ranks / s->c->hosts));
  return group > 1 ? (on_host - 1) / (double)(group - 1) : 1;
}

/* Seconds that a rank's bytes need. */
static double wire_seconds(const stage *s, double bytes, int64_t group) {
  const double inside = share_within(s, group);
  return seconds_for(bytes * inside, link_within(s->c)->rate) +
         seconds_for(bytes * (1 - inside), link_between(s->c)->rate);
}

/* Seconds of a rank's processors that its messages take. */
static double moving_seconds(const stage *s, double messages, double bytes, int64_t group) {
  const double inside = share_within(s, group);
  const rf_link *within = link_within(s->c), *between = link_between(s->c);
  return inside * (messages * within->message + bytes * within->byte) +
         (1 - inside) * (messages * between->message + bytes * between->byte);
}

static double latency_of(const stage *s, int64_t group) {
  const double on_host = ceil((double)s->c->ranks / s->c->hosts);
  return (double)group > on_host ? link_between(s->c)->latency : link_within(s->c)->latency;
}

/* Messages to all others leave one after the other, each for a part of what one takes there and back alone. */
static double all_to_all_latency(const stage *s, int64_t group) {
  return group > 1 ? latency_of(s, group) * (1 + 0.1 * (double)(group - 2)) : 0;
}

static void spend_time(stage *s, rf_phase phase, double seconds) { s->t->seconds[phase] += seconds; }

static void wait_time(stage *s, rf_phase phase, double bandwidth, double latency) {
  s->t->seconds[phase] += bandwidth + latency;
  s->t->waited[phase] += bandwidth + latency;
  s->bandwidth += bandwidth;
  s->latency += latency;
}

/* The wire goes on while the processors move messages, and is waited for where it takes longer. */
static void travel_time(stage *s, rf_phase phase, double moving, double bandwidth, double latency) {
  spend_time(s, phase, moving);
  s->t->moving += moving;
  wait_time(s, phase, fmax(0, bandwidth - moving), fmax(0, latency - fmax(0, moving - bandwidth)));
}

static double attention_rate(const rf_rates *c, rf_attention_kind kind) {
  return kind == RF_ATTENTION_LSH ? c->lsh : kind == RF_ATTENTION_LOCAL ? c->local : c->full;
}

/* Arithmetic of a layer: forward, again where it is not stashed, and twice in reverse. Returns that of attention,
 * behind which its rows may travel. */
static double add_layer(stage *s, int64_t layer, int64_t padded) {
  const rf_config *config = s->config;
  const rf_model_config *m = &config->model;
  const rf_attention_kind kind = rf_layer_attention(m, layer);
  const rf_operations work = rf_operations_of_layer(config, layer, padded);
  const rf_dense_operations dense = rf_dense_of_layer(config, layer);
  const rf_passes passes = rf_passes_of_layer(config, rf_plan_stash_at(s->stash, layer));
  const double project = seconds_for(passes.project * s->tokens * dense.project, s->c->projections);
  const double out = seconds_for(passes.output * s->tokens * dense.output, s->c->output);
  const double attend = seconds_for(passes.attend * s->tokens * work.attention, attention_rate(s->c, kind));
  spend_time(s, RF_PHASE_PROJECT, project);
  spend_time(s, RF_PHASE_OUTPUT, out);
  spend_time(s, RF_PHASE_ATTEND, attend);
  spend_time(s, RF_PHASE_FEED_FORWARD,
             seconds_for(passes.feed_forward * s->tokens * dense.feed_forward, s->c->feed_forward));
  spend_time(s, RF_PHASE_HASH, seconds_for(s->tokens * work.hashing, s->c->hashing));
  const double rounds = kind == RF_ATTENTION_LSH && padded > config->lsh.chunk ? (double)config->lsh.n_hashes : 1;
  spend_time(s, RF_PHASE_PLAN, 2 * s->tokens * (double)m->n_heads * rounds * s->c->plan_item);
  return project + out + attend;
}

/* Rows, plans and histograms of a layer's attention over the sequence ranks. */
static void add_exchange(stage *s, rf_attention_kind kind, const rf_attention_traffic *one, double behind) {
  const double times = (double)s->config->training.accumulate;
  const double rows = (one->rank_forward + one->rank_reverse) * times;
  const double metadata =
      (one->bytes[RF_TRAFFIC_HISTOGRAM] + one->bytes[RF_TRAFFIC_PLAN]) / (double)s->sequence * times;
  const double steps = one->exchanges * times, plans = one->plans * times;
  const double latency = all_to_all_latency(s, s->sequence);
  const double others = (double)(s->sequence - 1);
  const double hidden = one->waves > 1 || kind == RF_ATTENTION_FULL ? s->c->overlap * behind : 0;
  spend_time(s, RF_PHASE_EXCHANGE, rows * s->c->move_byte);
  travel_time(s, RF_PHASE_EXCHANGE, moving_seconds(s, (steps - plans) * others, rows, s->sequence),
              fmax(0, wire_seconds(s, rows, s->sequence) + (steps - plans) * latency - hidden), 0);
  travel_time(s, RF_PHASE_PLAN, moving_seconds(s, plans * others, metadata, s->sequence),
              wire_seconds(s, metadata, s->sequence), plans * latency);
  spend_time(s, RF_PHASE_PLAN, metadata * s->c->move_byte);
  s->t->messages += steps * others;
}

/* Full vectors of a step: those of layers travel behind the arithmetic of the one before. */
static void add_store(stage *s, const rf_plan_traffic *traffic, double behind) {
  const int64_t ranks = (int64_t)s->ranks;
  const double parameters = traffic->bytes[RF_TRAFFIC_PARAMETERS] / s->ranks;
  const double gradients = traffic->bytes[RF_TRAFFIC_GRADIENTS] / s->ranks;
  if (ranks < 2) return;
  /* a ring's steps follow each other */
  const double gather = traffic->fetches * all_to_all_latency(s, ranks);
  const double scatter = traffic->handed_back * (s->ranks - 1) * latency_of(s, ranks);
  const double gather_wire = wire_seconds(s, parameters, ranks), scatter_wire = wire_seconds(s, gradients, ranks);
  const double edge = 1.0 / fmax(1, traffic->fetches); /* the first of all waits for itself */
  const double hidden = s->c->overlap * behind;
  const double others = s->ranks - 1;
  travel_time(s, RF_PHASE_PARAMETERS, moving_seconds(s, traffic->fetches * others, parameters, ranks),
              fmax(edge * gather_wire, gather_wire - hidden), edge * gather);
  travel_time(s, RF_PHASE_GRADIENTS, moving_seconds(s, traffic->handed_back * others, gradients, ranks),
              fmax(edge * scatter_wire, scatter_wire - hidden), fmax(edge * scatter, scatter - hidden));
}

static void name_limit(stage *s) {
  double arithmetic = 0, sorting = 0;
  const rf_plan_time *t = s->t;
  for (int p = 0; p < RF_PHASES; p++) {
    const double work = t->seconds[p] - t->waited[p];
    const bool products = p == RF_PHASE_PROJECT || p == RF_PHASE_ATTEND || p == RF_PHASE_OUTPUT ||
                          p == RF_PHASE_FEED_FORWARD || p == RF_PHASE_HEAD || p == RF_PHASE_HASH;
    if (products)
      arithmetic += work;
    else
      sorting += work;
  }
  const struct {
    const char *name;
    double seconds;
  } limits[] = {{"arithmetic", arithmetic},
                {"memory and sorting", sorting - t->moving},
                {"the processors' work on messages", t->moving},
                {"bandwidth of the network", s->bandwidth},
                {"latency of the network", s->latency}};
  double most = -1;
  for (size_t i = 0; i < sizeof limits / sizeof *limits; i++)
    if (limits[i].seconds > most) {
      most = limits[i].seconds;
      s->t->limit = limits[i].name;
    }
}

static double reals_of(const rf_blocks *blocks) {
  double sum = 0;
  for (int b = 0; b < blocks->layout.n_blocks; b++) sum += (double)blocks->layout.blocks[b].size;
  return sum;
}

static rf_status fill_time(stage *s) {
  const rf_config *config = s->config;
  const rf_model_config *m = &config->model;
  const int64_t padded = rf_padded_length(config, config->data.length);
  rf_plan_traffic traffic;
  rf_blocks blocks;
  RF_TRY(rf_plan_traffic_of(config, s->sequence, s->data, s->stash, &traffic));
  RF_TRY(rf_blocks_create(config, &blocks));
  const double parameters = reals_of(&blocks);
  rf_blocks_destroy(&blocks);
  for (int64_t i = 0; i < m->n_layers; i++) {
    const rf_attention_kind kind = rf_layer_attention(m, i);
    const double arithmetic = add_layer(s, i, padded);
    const int level = rf_plan_stash_at(s->stash, i).level[0];
    if (s->sequence > 1) add_exchange(s, kind, &traffic.attention[kind][level], arithmetic);
  }
  spend_time(s, RF_PHASE_HEAD, seconds_for(s->tokens * rf_operations_per_token(config, padded).head, s->c->head));
  spend_time(s, RF_PHASE_EMBEDDING, s->tokens * (double)m->d_model * s->c->embedding_value);
  spend_time(s, RF_PHASE_OTHER, s->tokens * (double)m->d_model * s->c->other_value);
  spend_time(s, RF_PHASE_OPTIMIZER, parameters / s->ranks * s->c->parameter);
  /* while attention runs, the links are its rows' */
  const double behind = s->t->seconds[RF_PHASE_FEED_FORWARD] + s->t->seconds[RF_PHASE_HEAD];
  add_store(s, &traffic, behind);
  for (int p = 0; p < RF_PHASES; p++) s->t->total += s->t->seconds[p];
  s->t->tokens = (double)(config->training.batch * config->data.length);
  name_limit(s);
  return RF_OK;
}

rf_status rf_plan_time_of(const rf_config *config, int64_t sequence, int64_t data, const rf_plan_stash *stash,
                          const rf_rates *cluster, rf_plan_time *t) {
  *t = (rf_plan_time){0};
  stage s = {.config = config,
             .stash = stash,
             .c = cluster,
             .sequence = sequence,
             .data = data,
             .ranks = (double)(sequence * data),
             .tokens = (double)config->training.batch / (double)data *
                       (double)rf_padded_length(config, config->data.length) / (double)sequence,
             .t = t};
  return fill_time(&s);
}
