#!/usr/bin/env bash
# Ranks of one thread each against one rank with as many threads, all on one sequence:
#   tests/bench/ranks_or_threads.sh [PROGRAM] [LENGTH] [RANKS] [TURNS]      (build/release/reformer, 32768, 2, 7)
# Steps of both take turns, first one first and then the other, so that what else the machine does meets both alike.
# Prints tokens/s of every turn, and the median of their ratios.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} length=${2-32768} ranks=${3-2} turns=${4-7}
. "$source_dir/tests/bench/measure.sh" || exit 1

run() { # NAME RANKS THREADS
  OMP_NUM_THREADS=$3 mpirun -n "$2" --bind-to core --map-by "slot:PE=$3" "$program" bench step "$source_dir/configs/small.yaml" \
    --steps 1 --json "$work/$1.json" --set data.kind=duplicate --set "data.length=$length" --set training.batch=1 \
    --set model.positions.shape=auto --set model.positions.dims=auto --set "mesh.sequence=$2" >"$work/log" 2>&1 ||
    { cat "$work/log" >&2; exit 1; }
}

printf '| 1 x %s, tokens/s | %s x 1, tokens/s | ratio |\n| --- | --- | --- |\n' "$ranks" "$ranks"
for turn in $(seq "$turns"); do
  if [ $((turn % 2)) = 1 ]; then run threads 1 "$ranks" && run ranks "$ranks" 1; else run ranks "$ranks" 1 && run threads 1 "$ranks"; fi
  awk -v t="$(figure threads tokens_per_second)" -v r="$(figure ranks tokens_per_second)" \
    'BEGIN { printf "| %.0f | %.0f | %.3f |\n", t, r, r / t }' | tee -a "$work/ratios"
done
awk -F'|' '{ print $4 }' "$work/ratios" | sort -g | awk '{ x[NR] = $1 } END { printf "median ratio %.3f\n", x[int((NR + 1) / 2)] }'
