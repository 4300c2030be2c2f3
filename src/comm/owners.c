#include "comm/owners.h"
#include "base/integers.h"
#include <math.h>

/* Chunks of a round whose numbers within the pair are below `end`. */
static int64_t chunks_below(const rf_owners *o, int64_t end, int64_t round) {
  const int64_t within = rf_max(0, rf_min(end, rf_owners_chunks(o)));
  return rf_ceil_div(rf_max(0, within - round), o->rounds);
}

rf_span rf_owners_stretch(const rf_owners *o, int rank, int64_t pair, int64_t round) {
  const rf_span owned = rf_owners_numbers(o, rank);
  const int64_t of_pair = rf_owners_number(o, pair, 0, 0);
  const int64_t first = chunks_below(o, owned.first - of_pair, round);
  return (rf_span){first, chunks_below(o, owned.first + owned.count - of_pair, round) - first};
}

int64_t rf_owners_seen_before(const rf_owners *o, int rank, int64_t pair, int64_t round) {
  int64_t seen = 0;
  for (int64_t r = 0; r < round; r++) seen += rf_stretch_seen(o, rf_owners_stretch(o, rank, pair, r));
  return seen;
}

double rf_owners_share(const rf_owners *o, int rank, int64_t pair, int64_t pairs) {
  const rf_span owned = rf_owners_numbers(o, rank);
  const int64_t first = rf_owners_number(o, pair, 0, 0), end = first + rf_owners_chunks(o);
  const int64_t here = rf_min(owned.first + owned.count, end) - rf_max(owned.first, first);
  if (owned.count == 0 || here <= 0) return 0;
  return (double)here / (double)owned.count * (double)o->together / (double)pairs;
}

/* Rows of a pair of which a rank owns so many chunks. */
static int64_t rows_of_chunks(const rf_owners *o, int64_t chunks, rf_pair_size size) {
  if (chunks <= 0) return 0;
  const int64_t halos = rf_min(chunks, o->rounds) * (o->before + o->after);
  return rf_min(size.tokens, (rf_min(chunks, rf_owners_chunks(o)) + halos) * size.chunk);
}

/* A rank's chunks begin in one pair and end in another, with whole pairs between them. Of two that are cut, most rows
 * come from halves. */
static int64_t rows_of_cut_pairs(const rf_owners *o, int64_t chunks, int64_t whole, rf_pair_size size) {
  const int64_t rest = chunks - whole * rf_owners_chunks(o);
  if (whole < 0 || rest < 0) return 0;
  return whole * size.tokens + 2 * rows_of_chunks(o, rf_ceil_div(rest, 2), size);
}

int64_t rf_owners_most_rows(const rf_owners *o, int64_t pairs, rf_pair_size size) {
  const int64_t parts = o->ranks * o->parts, rows = pairs / o->together;
  const int64_t chunks = rf_ceil_div(o->together * rf_owners_chunks(o), parts);
  if (o->together % parts == 0) return rows * (o->together / parts) * size.tokens;
  if (parts % o->together == 0) return rows * rows_of_chunks(o, chunks, size);
  const int64_t whole = chunks / rf_owners_chunks(o);
  return rows * rf_max(rows_of_cut_pairs(o, chunks, whole, size), rows_of_cut_pairs(o, chunks, whole - 1, size));
}

static int64_t common_divisor(int64_t a, int64_t b) {
  while (b != 0) {
    const int64_t rest = a % b;
    a = b;
    b = rest;
  }
  return a;
}

/* Beyond so many parts a sample stands for all. */
enum { MOST_PARTS = 64 };

/* Of the slots of a pair a share f lies in one part: it has one of a token's R slots with probability 1 - (1 - f)^R.
 * Cuts repeat: of 4 parts and 6 pairs in a row, parts 2 and 3 cut pairs 3 to 5 as parts 0 and 1 cut pairs 0 to 2. */
double rf_owners_expected(const rf_owners *o) {
  const int64_t parts = o->ranks * o->parts, chunks = rf_owners_chunks(o);
  const int64_t different = parts / common_divisor(parts, o->together);
  const int64_t step = different > MOST_PARTS ? different / MOST_PARTS | 1 : 1;
  double owners = 0;
  int64_t n = 0;
  for (int64_t part = 0; part < different; part += step, n++) {
    const rf_span owned = rf_span_of(o->together * chunks, parts, part);
    for (int64_t at = owned.first; at < owned.first + owned.count;) {
      const int64_t end = rf_min(owned.first + owned.count, (at / chunks + 1) * chunks);
      owners += 1 - pow(1 - (double)(end - at) / (double)chunks, (double)o->rounds);
      at = end;
    }
  }
  const double of_pair = owners / (double)n * (double)parts / (double)o->together;
  return of_pair * (o->ranks - 1) / o->ranks;
}
