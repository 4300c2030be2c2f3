#!/usr/bin/env bash
# How well `reformer plan` tells the time of a step at points that its constants were not measured at:
#   tests/bench/plan_time.sh [PROGRAM] [CONFIG] [RANKS]      (build/release/reformer, configs/small.yaml, 2)
# Constants are measured once on this host and once across virtual hosts (cluster/hosts.sh, one rank each) at 1 Gbit/s,
# with sequences of 4,096 tokens. Then a step is planned and measured at other lengths, kinds of attention, meshes and,
# across the hosts, at 0.25 and 2.5 Gbit/s, of which the plan is told the nominal rate. Prints a Markdown table; without
# root, or with RF_NO_HOSTS=1, of this host alone. One thread a rank; RANKS should not be more than there are cores, and
# nothing else should run.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
program=${1-$source_dir/build/release/reformer} CONFIG=${2-$source_dir/configs/small.yaml} ranks=${3-2}
program=$(realpath "$program") CONFIG=$(realpath "$CONFIG")
. "$source_dir/tests/support/work.sh" || exit 1
export OMP_NUM_THREADS=1 OMPI_MCA_mpi_yield_when_idle=1 RF_CLUSTER=plan_time
hosts_up=
take_down() {
  [ -z "$hosts_up" ] || "$source_dir/cluster/hosts.sh" down >/dev/null 2>&1
  hosts_up=
}
trap 'take_down; rm -rf "$work"' EXIT
sets=(--set data.kind=duplicate --set model.positions.shape=auto --set model.positions.dims=auto --set checkpoint.async=false)
worst=0 points=0

here() { mpirun --oversubscribe --bind-to none -n "$ranks" "$program" "$@"; }
across() { "$source_dir/cluster/mpirun.sh" -n "$ranks" "$program" "$@"; }

value() { sed -n 's/^  "'"$2"'": \([-0-9.e]*\),\{0,1\}$/\1/p' "$1"; }

constants() { # RUNNER FILE
  "$1" bench cluster "$CONFIG" "${sets[@]}" -o "$2" >"$work/log" 2>&1 && return
  cat "$work/log" >&2 && exit 1
}

point() { # RUNNER CONSTANTS LINK OPTION...
  local runner=$1 constants=$2 link=$3 gbits=()
  shift 3
  [ "$link" = host ] || gbits=(--gbits "$link")
  "$program" plan "$CONFIG" "${sets[@]}" "$@" --ranks "$ranks" --cluster "$constants" ${gbits[@]+"${gbits[@]}"} --json "$work/plan.json" >"$work/log" 2>&1 &&
    "$runner" bench step "$CONFIG" --steps 5 "${sets[@]}" "$@" --json "$work/step.json" >>"$work/log" 2>&1 ||
    { cat "$work/log" >&2 && exit 1; }
  local planned measured
  planned=$(value "$work/plan.json" step_seconds) measured=$(value "$work/step.json" step_seconds)
  printf '| %s | %s | %s | %.0f | %.0f | %+.0f %% |\n' "$([ "$link" = host ] && echo 'one host' || echo "$ranks hosts, $link Gbit/s")" \
    "$ranks" "$(printf '%s ' "$@" | sed 's/--set //g')" "$(awk -v x="$planned" 'BEGIN { print 1000 * x }')" \
    "$(awk -v x="$measured" 'BEGIN { print 1000 * x }')" "$(awk -v p="$planned" -v m="$measured" 'BEGIN { print 100 * (p / m - 1) }')"
  points=$((points + 1))
  worst=$(awk -v p="$planned" -v m="$measured" -v w="$worst" 'BEGIN { e = 100 * (p / m - 1); e = e < 0 ? -e : e; print (e > w ? e : w) }')
}

echo '| where | ranks | settings | planned ms | measured ms | off by |'
echo '| --- | --- | --- | --- | --- | --- |'
constants here "$work/here.json"
for length in 2048 8192 16384; do point here "$work/here.json" host --set data.length=$length --set "mesh.sequence=$ranks"; done
point here "$work/here.json" host --set data.length=8192 --set training.batch="$ranks"
point here "$work/here.json" host --set data.length=8192 --set "mesh.sequence=$ranks" --set lsh.n_hashes=2
point here "$work/here.json" host --set data.length=8192 --set "mesh.sequence=$ranks" --set 'model.attention=[local, full]'
for limit in 300MiB 1TiB; do point here "$work/here.json" host --set data.length=8192 --set "mesh.sequence=$ranks" --set training.memory_limit=$limit; done

if [ "$(id -u)" = 0 ] && [ -z "${RF_NO_HOSTS-}" ]; then
  for gbits in 1 0.25 2.5; do
    "$source_dir/cluster/hosts.sh" up "$ranks" --slots 1 --rate "$(awk -v g=$gbits 'BEGIN { print 1000 * g }')mbit" >"$work/log" 2>&1 || { cat "$work/log" >&2; exit 1; }
    hosts_up=yes
    [ -f "$work/across.json" ] || constants across "$work/across.json"
    for length in 2048 8192; do point across "$work/across.json" $gbits --set data.length=$length --set "mesh.sequence=$ranks"; done
    take_down
  done
fi
printf '\n%s points, the worst off by %.0f %%\n' "$points" "$worst"
