#!/usr/bin/env bash
# What a step costs across virtual hosts (cluster/hosts.sh, one rank of one thread each), beside as many ranks on one host:
#   tests/bench/across_hosts.sh OLD NEW [TURNS] [HOSTS...]      two programs, 3 turns, on 2 and on 4 hosts
# The programs take turns, with 8,192 tokens of configs/small.yaml, at 0.25, 1 and 2.5 Gbit/s. Prints a Markdown table of
# medians: the step on one host, across hosts, how many times as long that is, what it has more, and what a link needs
# for the bytes that a rank sends. Takes root; nothing else should run.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
[ $# -ge 2 ] || { echo "usage: tests/bench/across_hosts.sh OLD NEW [TURNS] [HOSTS...]" >&2 && exit 2; }
programs=("$(realpath "$1")" "$(realpath "$2")") turns=${3-3}
[ $# -gt 3 ] && shift 3 || set -- 2 4
. "$source_dir/tests/support/work.sh" || exit 1
export OMP_NUM_THREADS=1 OMPI_MCA_mpi_yield_when_idle=1 RF_CLUSTER=across_hosts
take_down() { "$source_dir/cluster/hosts.sh" down >/dev/null 2>&1; }
trap 'take_down; rm -rf "$work"' EXIT
trap 'exit 1' INT TERM

here() { mpirun --oversubscribe --bind-to none "$@"; }
across() { "$source_dir/cluster/mpirun.sh" "$@"; }

# step RUNNER RANKS PROGRAM FILE: seconds, and bytes that all ranks send, added to the file as a line
step() {
  "$1" -n "$2" "$3" bench step "$source_dir/configs/small.yaml" --steps 3 --set data.kind=duplicate --set "mesh.sequence=$2" \
    --set data.length=8192 --set model.positions.shape=auto --set model.positions.dims=auto --json "$work/step.json" \
    >"$work/log" 2>&1 </dev/null || { cat "$work/log" >&2 && exit 1; }
  awk -F'[:,]' '/"step_seconds":/ { s = $2 } /"bytes": *\{/ { in_bytes = 1 } in_bytes && /"[a-z]*": *[0-9]/ { b += $2 }
    in_bytes && /\}/ { in_bytes = 0 } END { print s, b }' "$work/step.json" >>"$4"
}
median() { sort -g "$1" | awk -v f="$2" '{ x[NR] = $f } END { print x[int((NR + 1) / 2)] }'; }

echo '| hosts | Gbit/s | program | one host, ms | across, ms | times | more, ms | bytes of a rank / rate, ms |'
echo '| --- | --- | --- | --- | --- | --- | --- | --- |'
for hosts in "$@"; do
  for gbits in 0.25 1 2.5; do
    rm -f "$work"/*.turns
    "$source_dir/cluster/hosts.sh" up "$hosts" --slots 1 --rate "$(awk -v g=$gbits 'BEGIN { print 1000 * g }')mbit" || exit 1
    for ((turn = 0; turn < turns; turn++)); do
      for i in 0 1; do
        step here "$hosts" "${programs[$i]}" "$work/here.$i.turns"
        step across "$hosts" "${programs[$i]}" "$work/across.$i.turns"
      done
    done
    take_down
    for i in 0 1; do
      awk -v h="$hosts" -v g=$gbits -v one="$(median "$work/here.$i.turns" 1)" -v all="$(median "$work/across.$i.turns" 1)" \
        -v bytes="$(median "$work/across.$i.turns" 2)" -v name="$([ $i = 0 ] && echo old || echo new)" 'BEGIN {
          printf "| %d | %s | %s | %.0f | %.0f | %.2f | %.0f | %.0f |\n", h, g, name, 1000 * one, 1000 * all, all / one,
            1000 * (all - one), 1000 * bytes / h / (g * 1.25e8) }'
    done
  done
done
