#!/usr/bin/env bash
# One training step of a million tokens, and the memory it takes:
#   tests/bench/million.sh [PROGRAM] [RANKS] [LENGTH] [--set KEY=VALUE]...   (build/release/reformer, 1, 1048576 tokens)
# Trains configs/million.yaml for one step, all ranks on the one sequence, and prints seconds and tokens/s of the step,
# and the largest sum of proportional set sizes over all ranks (a page that n processes share counts 1/n in each), read
# twice a second from /proc. Threads: OMP_NUM_THREADS, or the cores divided by the ranks.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} ranks=${2-1} length=${3-1048576}
[ $# -gt 3 ] && shift 3 || set --
. "$source_dir/tests/support/work.sh" || exit 1
start=()
[ "$ranks" = 1 ] || start=(mpirun --oversubscribe --bind-to none -n "$ranks")
export OMP_NUM_THREADS=${OMP_NUM_THREADS-$((($(nproc) + ranks - 1) / ranks))}
export OMPI_MCA_mpi_yield_when_idle=1

seq 100000 999999 | head -c $((length + 1)) >"$work/text"
"${start[@]}" "$program" train "$source_dir/configs/million.yaml" --run "$work/run" --set "data.path=$work/text" \
  --set "data.length=$length" --set "mesh.sequence=$ranks" --set model.positions.shape=auto "$@" \
  >"$work/out" 2>&1 &
job=$!

# All processes of the job that are the program itself.
program_path=$(readlink -f "$program")
descendants() {
  local child
  for child in $(pgrep -P "$1"); do
    [ "$(readlink "/proc/$child/exe" 2>/dev/null)" = "$program_path" ] && echo "$child"
    descendants "$child"
  done
}
peak=0
while kill -0 "$job" 2>/dev/null; do
  sum=0
  for process in "$job" $(descendants "$job"); do
    [ "$(readlink "/proc/$process/exe" 2>/dev/null)" = "$program_path" ] || continue
    pss=$(awk '/^Pss:/ { print $2 }' "/proc/$process/smaps_rollup" 2>/dev/null)
    sum=$((sum + ${pss:-0}))
  done
  [ "$sum" -gt "$peak" ] && peak=$sum
  sleep 0.5
done
wait "$job" || { cat "$work/out" >&2; exit 1; }
number() { grep -o "\"$1\": *[-+.0-9e]*" "$work/run/metrics.jsonl" | head -1 | sed 's/.*: *//'; }
printf '%-32s %s\n' "ranks x threads" "$ranks x $OMP_NUM_THREADS" "tokens" "$length" "loss" "$(number loss)" \
  "seconds of the step" "$(number step_seconds)" "tokens/s" "$(number tokens_per_second)" \
  "peak of all ranks together, MiB" $((peak / 1024))
