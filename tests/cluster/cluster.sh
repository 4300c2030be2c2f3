# For the scripts here, which run on the virtual cluster of cluster/. Skips (status 77) where that cannot be; checks at
# the end that nothing of it is left. PROGRAM, $source_dir and the folder $work must be set.
# shellcheck shell=bash disable=SC2034,SC2154
checks=0 failures=0
export RF_CLUSTER=test$$ OMP_NUM_THREADS=1
hosts=$source_dir/cluster/hosts.sh slurm=$source_dir/cluster/slurm.sh run=$source_dir/launch/run.sh

skip() {
  rm -rf "$work"
  echo "skipped: $*"
  exit 77
}

needs() { # needs COMMAND...
  local name
  [ "$(id -u)" = 0 ] || skip "a virtual cluster takes root"
  for name in ip nsenter unshare mpirun "$@"; do
    PATH=$PATH:/usr/sbin command -v "$name" >/dev/null || skip "no $name here (launch/setup.sh --cluster installs it)"
  done
  unshare --net --uts --ipc --mount --pid --fork true 2>/dev/null || skip "no namespaces may be made here"
  unshare --net ip link add br0 type bridge 2>/dev/null || skip "this kernel has no bridges"
}

fail() {
  failures=$((failures + 1))
  echo "FAILED: $*"
}

expect() { # expect WHAT WANTED FOUND
  checks=$((checks + 1))
  [ "$2" = "$3" ] || fail "$1: found '$3', wanted '$2'"
}

expect_text() { # expect_text TEXT FILE...
  checks=$((checks + 1))
  grep -aq -- "$1" "${@:2}" || { fail "no '$1' in ${*:2}:" && grep -ahv '^step' "${@:2}"; }
}

expect_within() { # expect_within SECONDS WHAT FOUND
  checks=$((checks + 1))
  [ "$3" -le "$1" ] || fail "$2 took $3 s, allowed: $1 s"
}

# A model that a step of takes milliseconds.
write_config() { # write_config FILE STEPS BATCH
  cat >"$1" <<YAML
model: {vocab_size: 128, d_model: 32, n_layers: 2, n_heads: 2, d_ff: 64, attention: [local, lsh]}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: duplicate, length: 240}
training: {steps: $2, batch: $3, eval_every: 0, eval_batches: 1, seed: 6}
optimizer: {lr: 3.0e-4}
checkpoint: {every: 10}
output: {log_every: 1}
YAML
}

losses() { sed -n 's/^{"step":\([0-9]*\),"loss":\([^,]*\),.*/\1 \2/p' "$1/metrics.jsonl"; } # losses RUN

# losses_agree RUN RUN TOLERANCE: step by step, as many as there are in the first.
losses_agree() {
  checks=$((checks + 1))
  paste <(losses "$1") <(losses "$2") | awk -v tolerance="$3" '
    $1 != $3 { print "step " $1 " beside step " $3; bad = 1 }
    { d = $2 - $4; if (d < 0) d = -d; if (d > most) most = d; n++ }
    END { printf "%d steps, losses differ by %g at most\n", n, most; exit bad || n == 0 || !(most <= tolerance) }' >"$work/agree" ||
    fail "losses of $1 and $2: $(cat "$work/agree"); allowed: $3"
}

# What a cluster could leave behind: processes that know its name, and links, mounts, namespaces with a name, files.
leavings() {
  local other
  for other in /proc/[0-9]*; do
    grep -qzx "RF_CLUSTER=$RF_CLUSTER" "$other/environ" 2>/dev/null || continue
    [[ ${other#/proc/} = "$BASHPID" || $(cut -d' ' -f4 "$other/stat" 2>/dev/null) = "$BASHPID" ]] ||
      echo "process ${other#/proc/}: $(xargs -0 <"$other/cmdline" 2>/dev/null)"
  done
  ip -o link | sed 's/^[0-9]*: \([^:]*\):.*/link \1/'
  cut -d' ' -f4,5 /proc/self/mountinfo | sed 's/^/mount /'
  find /run/netns /run/munge /var/run/slurm "/run/reformer-cluster/$RF_CLUSTER" /tmp/{ompi,prterun}.head* /tmp/{ompi,prterun}.h[0-9]* \
    /tmp/spmix_* /dev/shm/*.h[0-9]* -maxdepth 1 2>/dev/null | sed 's/^/file /'
}

start_check() { leavings >"$work/before"; }

finish() {
  "$hosts" down
  sleep 0.3 # for what is on its way out
  leavings >"$work/after"
  checks=$((checks + 1))
  diff "$work/before" "$work/after" >"$work/left" || fail "left behind (>) or missing (<): $(cat "$work/left")"
  echo "$checks checks, $failures failed"
  [ "$failures" = 0 ]
}

clean_up() {
  "$hosts" down
  rm -rf "$work"
}
