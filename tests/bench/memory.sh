#!/usr/bin/env bash
# How peak memory grows with the number of layers, with reversible and with ordinary residuals, beside what it should be:
#   tests/bench/memory.sh [PROGRAM] [LENGTH]      (build/release/reformer, 16384 tokens)
# Prints a Markdown table. Between two numbers of layers memory should grow by
#   state        parameters, gradients and Adam's two moments of the layers
#   buckets      2 bytes for each token, head, hash round and layer
#   activations  ordinary only: the inputs of a layer's two sublayers, 2 L d_model numbers
# The machine gives memory in pages of 2 MiB, so the peak is good to a few MiB.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
PROGRAM=${1-$source_dir/build/release/reformer} length=${2-16384}
CONFIG=$source_dir/configs/small.yaml
. "$source_dir/tests/bench/measure.sh" || exit 1

d_model=256 heads=4 rounds=4
sets=(--set data.kind=duplicate --set "data.length=$length" --set training.batch=1 --set model.attention=lsh
  --set "model.d_model=$d_model" --set "model.n_heads=$heads" --set model.d_head=64 --set "lsh.n_hashes=$rounds"
  --set model.positions.shape=auto --set model.positions.dims=auto --set optimizer.kind=adam)

printf '| residuals | layers | peak MiB | grown by | predicted | = state | + buckets | + activations |\n'
printf '| --- | --- | --- | --- | --- | --- | --- | --- |\n'
for residual in reversible ordinary; do
  for layers in 2 6 12; do
    name=$residual-$layers first=$residual-2
    measure "$name" --set "model.residual=$residual" --set "model.n_layers=$layers"
    peak=$(figure "$name" peak_rss_bytes)
    if [ "$layers" = 2 ]; then
      printf '| %s | %s | %s | | | | | |\n' "$residual" "$layers" "$(mebibytes "$peak")"
      continue
    fi
    more=$((layers - 2)) activations=0
    state=$(state_growth "$first" "$name")
    buckets=$((2 * length * heads * rounds * more))
    [ "$residual" = reversible ] || activations=$((2 * length * d_model * $(real_bytes "$name") * more))
    printf '| %s | %s | %s | %s | %s | %s | %s | %s |\n' "$residual" "$layers" "$(mebibytes "$peak")" \
      "$(mebibytes $((peak - $(figure "$first" peak_rss_bytes))))" "$(mebibytes $((state + buckets + activations)))" \
      "$(mebibytes "$state")" "$(mebibytes "$buckets")" "$(mebibytes "$activations")"
  done
done
