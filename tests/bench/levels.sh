#!/usr/bin/env bash
# A training step of the installed program at each level of x86-64 that this processor has:
#   tests/bench/levels.sh [BUILD] [CONFIG] [OPTION...]      (build/release, configs/small.yaml)
# Prints a Markdown table of tokens/s and of the share of that level's peak: the measured loop is compiled at the level.
# OpenBLAS and libxsmm, which choose by the processor whatever the level is, are told to take code of that level too; the
# last row is what they choose here. OPTIONs go to `reformer bench step`. RUNS=5 measures so often, in turns, and gives
# medians by tokens/s.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
build=${1-$source_dir/build/release} CONFIG=${2-$source_dir/configs/small.yaml}
[ $# -gt 2 ] && shift 2 || set --
. "$source_dir/tests/bench/measure.sh" || exit 1
cmake --install "$build" --prefix "$work/installed" >"$work/install.log" 2>&1 || { cat "$work/install.log" >&2 && exit 1; }
PROGRAM=$work/installed/bin/reformer
lib=$(dirname "$(find "$work/installed" -name 'libreformer.so')")
runs=${RUNS-5}
sets=(--set data.kind=duplicate "$@")
unset OPENBLAS_CORETYPE LIBXSMM_TARGET LD_LIBRARY_PATH

# level | what OpenBLAS and libxsmm have of it
levels='x86-64    Prescott x86
x86-64-v2 Nehalem  wsm
x86-64-v3 Haswell  hsw
x86-64-v4 SkylakeX skx'

names=()
compiled() { "$PROGRAM" --version | sed -n 's/^compiled for //p'; }
while read -r level _; do
  from=$lib/glibc-hwcaps/$level
  [ "$level" != x86-64 ] || from=$lib
  [ -d "$from" ] || continue # the compiler does not know it
  mkdir "$work/$level" && cp "$from"/libreformer.so.* "$work/$level/" # alone in a folder, the loader has no choice
  [ "$(LD_LIBRARY_PATH=$work/$level compiled 2>/dev/null)" = "$level" ] && names+=("$level")
done <<<"$levels"
best=$(compiled)

for ((run = 1; run <= runs; run++)); do
  for level in "${names[@]}"; do
    read -r _ blas xsmm < <(grep "^$level " <<<"$levels")
    LD_LIBRARY_PATH=$work/$level OPENBLAS_CORETYPE=$blas LIBXSMM_TARGET=$xsmm measure "$level-$run"
  done
  measure "chosen-$run"
done

row() { # row NAME LEVEL LIBRARIES
  local run middle
  middle=$(for ((run = 1; run <= runs; run++)); do echo "$(figure "$1-$run" tokens_per_second) $run"; done |
    sort -g | sed -n "$(((runs + 1) / 2))s/.* //p")
  printf '| %s | %s | %.0f | %.1f | %.1f %% |\n' "$2" "$3" "$(figure "$1-$middle" tokens_per_second)" \
    "$(awk -v x="$(figure "$1-$middle" peak_operations_per_second)" 'BEGIN { print x * 1e-9 }')" \
    "$(awk -v x="$(figure "$1-$middle" share_of_peak)" 'BEGIN { print 100 * x }')"
}
echo "| level | OpenBLAS, libxsmm | tokens/s | peak, GFLOP/s | share of peak |"
echo "| --- | --- | --- | --- | --- |"
for level in "${names[@]}"; do
  row "$level" "$level" "$(grep "^$level " <<<"$levels" | awk '{ print $2 ", " $3 }')"
done
row chosen "$best" "$("$PROGRAM" --version | sed -n 's/.*: code for //p' | paste -sd, | sed 's/,/, /') (as they choose)"
