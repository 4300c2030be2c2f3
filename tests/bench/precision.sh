#!/usr/bin/env bash
# What lower precision costs in loss, on the same batches:
#   tests/bench/precision.sh [PROGRAM] [CONFIG] [STEPS] [OPTION...]      (build/release/reformer, configs/duplicate.yaml, 1000)
# Trains CONFIG in float, with model.precision: bf16, and on two ranks with mesh.wire: bf16; prints a Markdown table of
# the training loss (mean of the last 20 steps) at every tenth of the steps, and of the loss on the validation split.
# OPTIONs go to `reformer train`. Minutes.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} config=${2-$source_dir/configs/duplicate.yaml} steps=${3-1000}
[ $# -gt 3 ] && shift 3 || set --
options=(--set "training.steps=$steps" --set "training.eval_every=$steps" --set output.log_every=1 "$@")
. "$source_dir/tests/support/work.sh" || exit 1

train() { # train NAME [COMMAND...] -- [OPTION...]
  local name=$1 start=()
  shift
  while [ "$1" != -- ]; do start+=("$1"); shift; done
  shift
  ${start[@]+"${start[@]}"} "$program" train "$config" --run "$work/$name" "${options[@]}" "$@" >"$work/$name.txt" 2>&1 && return
  cat "$work/$name.txt" >&2
  exit 1
}

train full -- --set model.precision=full
train bf16 -- --set model.precision=bf16
train wire mpirun --oversubscribe --bind-to none -n 2 -- --set mesh.sequence=2 --set mesh.wire=bf16

printf '| step | float | model.precision: bf16 | mesh.wire: bf16, 2 ranks |\n| --- | --- | --- | --- |\n'
for name in full bf16 wire; do
  sed -n 's/^{"step":\([0-9]*\),"loss":\([-0-9.e+]*\),.*/\1 \2/p' "$work/$name/metrics.jsonl" |
    awk -v every=$((steps / 10)) '{ part = ($1 - 1) % every; if (part >= every - 20) { sum += $2; n++ }
      if (part == every - 1) { printf("%d %.4f\n", $1, sum / n); sum = n = 0 } }' >"$work/$name.curve"
  sed -n 's/.*"eval_loss":\([-0-9.e+]*\),.*/\1/p' "$work/$name/metrics.jsonl" | tail -1 |
    awk '{ printf("validation %.4f\n", $1) }' >>"$work/$name.curve"
done
paste -d ' ' "$work/full.curve" "$work/bf16.curve" "$work/wire.curve" | awk '{ printf("| %s | %s | %s | %s |\n", $1, $2, $4, $6) }'
