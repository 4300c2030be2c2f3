#!/usr/bin/env bash
# What stashing activations gains: tokens/s of training steps that compute them again, and that stash them all:
#   tests/bench/stash.sh [PROGRAM] [TURNS] [LENGTH...]      (build/release/reformer, 5, 4096 16384)
# Steps of both take turns, so that what else the machine does meets both alike; medians over the turns, and the median of
# the turns' ratios. Threads: OMP_NUM_THREADS. Prints a Markdown table.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} turns=${2-5}
[ $# -gt 2 ] && shift 2 || set -- 4096 16384
. "$source_dir/tests/support/work.sh" || exit 1

run() { # NAME LENGTH LIMIT
  "$program" bench step "$source_dir/configs/small.yaml" --steps 2 --json "$work/$1" --set data.kind=duplicate \
    --set "data.length=$2" --set model.positions.shape=auto --set "training.memory_limit=$3" >"$work/out" 2>&1 ||
    { cat "$work/out" >&2; exit 1; }
}
number() { grep -o "\"$2\": *[-+.0-9e]*" "$work/$1" | head -1 | sed 's/.*: *//'; }
median() { sort -g | awk '{ x[NR] = $1 } END { print x[int((NR + 1) / 2)] }'; }

printf '| L | computed again, tokens/s | share of peak | all kept, tokens/s | share of peak | ratio | kept, MiB |\n'
printf '| --- | --- | --- | --- | --- | --- | --- |\n'
for length in "$@"; do
  rm -f "$work"/turn-*
  for _ in $(seq "$turns"); do
    run again "$length" 0
    run kept "$length" 1TiB
    echo "$(number again tokens_per_second) $(number again share_of_peak) $(number kept tokens_per_second)" \
      "$(number kept share_of_peak)" >>"$work/turn-all"
  done
  bytes=$(grep -A1 '"kept"' "$work/kept" | grep -o '[0-9]*' | head -1)
  column() { awk "{ print $1 }" "$work/turn-all" | median; }
  printf '| %s | %.0f | %.1f %% | %.0f | %.1f %% | %.2f | %.0f |\n' "$length" "$(column '$1')" "$(column '100 * $2')" \
    "$(column '$3')" "$(column '100 * $4')" "$(column '$3 / $1')" "$(column "$((bytes / 1048576)) + 0 * \$1")"
done
