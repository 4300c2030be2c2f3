#!/usr/bin/env bash
# What a rank of N must hold of one long sequence, and whether it falls as 1/N:
#   tests/bench/memory_ranks.sh [PROGRAM] [LENGTH] [RANKS...] [--set KEY=VALUE]...
#                                                                  (build/release/reformer, 32768 tokens, 1 2 4)
# Prints a Markdown table in MiB, of the rank with most. All ranks share one sequence (mesh.sequence = N).
#   grown by     peak resident size, less that of the same ranks at 64 tokens
#   kept         of that, what lives through the step: two streams and their gradients, and the hash buckets
#   transients   what attention, feed-forward and loss take besides, for a while, at their highest
#   shards       parameters, gradients and Adam's two moments that a rank owns
#   full blocks  two full vectors of parameters and two of gradients
# "x N" is the number times N, as a share of that on one rank: 100 % where it falls as 1/N.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} length=${2-32768}
[ $# -gt 2 ] && shift 2 || set -- 1 2 4
ranks=()
while [ $# -gt 0 ] && [ "$1" != --set ]; do ranks+=("$1") && shift; done
[ ${#ranks[@]} -gt 0 ] || ranks=(1 2 4)
CONFIG=$source_dir/configs/small.yaml
. "$source_dir/tests/bench/measure.sh" || exit 1
export OMP_NUM_THREADS=1 # buffers that each thread has are left out of the comparison
export OMPI_MCA_mpi_yield_when_idle=1

PROGRAM=$work/on_ranks
printf '#!/bin/sh\nexec mpirun --oversubscribe --bind-to none -n "$RANKS" "%s" "$@"\n' "$program" >"$PROGRAM"
chmod +x "$PROGRAM"

d_model=256 heads=4 rounds=4 layers=6
sets=(--set data.kind=duplicate --set training.batch=1 --set model.positions.shape=auto --set model.positions.dims=auto "$@")

share() { [ "$2" = 0 ] && echo - || echo "$((100 * $1 * RANKS / $2)) %"; } # NOW ON_ONE

printf '| ranks | peak | at 64 tokens | grown by | x N | kept | x N | transients | x N | shards | x N | full blocks |\n'
printf '| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |\n'
grown_1=0 kept_1=0 transients_1=0 shards_1=0
for RANKS in "${ranks[@]}"; do
  export RANKS
  measure "short-$RANKS" --set data.length=64 --set "mesh.sequence=$RANKS"
  measure "long-$RANKS" --set "data.length=$length" --set "mesh.sequence=$RANKS"
  long=long-$RANKS
  real=$(real_bytes "$long") peak=$(figure "$long" peak_rss_bytes) at_64=$(figure "short-$RANKS" peak_rss_bytes)
  grown=$((peak - at_64))
  kept=$((4 * length / RANKS * d_model * real + 2 * length / RANKS * heads * rounds * layers))
  transients=$(($(figure "$long" scratch_bytes) - kept))
  parameters=$(($(figure "$long" parameters) * real / RANKS))
  moments=$(figure "$long" optimizer_bytes)
  shards=$((2 * parameters + moments)) full=$(($(figure "$long" store_bytes) - 2 * parameters))
  if [ "$grown_1" = 0 ] && [ "$RANKS" = 1 ]; then
    grown_1=$grown kept_1=$kept transients_1=$transients shards_1=$shards
  fi
  printf '| %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s | %s |\n' "$RANKS" "$(mebibytes "$peak")" \
    "$(mebibytes "$at_64")" "$(mebibytes "$grown")" "$(share "$grown" "$grown_1")" "$(mebibytes "$kept")" \
    "$(share "$kept" "$kept_1")" "$(mebibytes "$transients")" "$(share "$transients" "$transients_1")" \
    "$(mebibytes "$shards")" "$(share "$shards" "$shards_1")" "$(mebibytes "$full")"
done
