#!/usr/bin/env bash
# A training step over lengths and hash rounds:
#   tests/bench/lengths.sh [PROGRAM] [CONFIG] [LONGEST] [OUT.json] [OPTION...]      (build/release/reformer, configs/small.yaml, 1048576)
# Prints a Markdown table of tokens/s, share of the measured peak, memory, and the share of the step's time in each
# phase; OUT.json gets all figures. Lengths 1024, 4096, 16384, ... with one sequence a step and 1, 2, 4, 8 rounds;
# a length whose memory does not fit this machine ends the table. OPTIONs go to `reformer bench step`.
# PREFIX="mpirun -n 2" measures on ranks (with --set mesh.sequence=2).
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} CONFIG=${2-$source_dir/configs/small.yaml}
longest=${3-1048576} out=${4-/dev/null}
[ $# -gt 4 ] && shift 4 || set --
. "$source_dir/tests/bench/measure.sh" || exit 1
PROGRAM=$work/program
printf '#!/bin/sh\nexec %s "%s" "$@"\n' "${PREFIX-}" "$program" >"$PROGRAM"
chmod +x "$PROGRAM"
sets=(--set data.kind=duplicate --set training.batch=1 --set model.positions.shape=auto --set model.positions.dims=auto "$@")

phase() { # NAME KEY: share of the step in that phase
  awk -v key="\"$2\":" '/"phase_seconds"/ { on = 1 } on && /}/ { on = 0 } on && $1 ~ /^"/ { all += $2; if ($1 == key) one = $2 }
    END { printf("%.0f %%", (all > 0 ? 100 * one / all : 0)) }' "$work/$1.json"
}

phases=(projections hashing plan exchange attention output feed-forward head optimizer)
printf '| length | rounds | tokens/s | of peak | peak MiB |'
printf ' %s |' "${phases[@]}"
printf '\n| --- | --- | --- | --- | --- |'
printf ' --- |%.0s' "${phases[@]}"
printf '\n'
between='['
for ((length = 1024; length <= longest; length *= 4)); do
  for rounds in 1 2 4 8; do
    name=$length-$rounds
    measure "$name" --set "data.length=$length" --set "lsh.n_hashes=$rounds" || exit 1
    printf '| %s | %s | %.0f | %.1f %% | %s |' "$length" "$rounds" "$(figure "$name" tokens_per_second)" \
      "$(awk -v x="$(figure "$name" share_of_peak)" 'BEGIN { print 100 * x }')" "$(mebibytes "$(figure "$name" peak_rss_bytes)")"
    for p in "${phases[@]}"; do printf ' %s |' "$(phase "$name" "$p")"; done
    printf '\n'
    { printf '%s{"length": %s, "rounds": %s, "figures": ' "$between" "$length" "$rounds"; cat "$work/$name.json"; printf '}\n'; } >>"$work/all.json"
    between=','
  done
done
{ cat "$work/all.json"; printf ']\n'; } >"$out"
