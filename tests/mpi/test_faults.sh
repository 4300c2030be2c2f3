#!/usr/bin/env bash
# One rank fails or hangs alone: all ranks end within seconds, with one message and the right exit status. For programs
# built with RF_FAULTS (src/train/fault.h). PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
command -v mpirun >/dev/null || { echo "no mpirun here: nothing to try"; exit 0; }
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/many.sh"
export OMP_NUM_THREADS=1

cat >tiny.yaml <<'YAML'
model: {vocab_size: 128, d_model: 16, n_layers: 2, n_heads: 2, d_ff: 32, attention: [local, lsh]}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: duplicate, length: 96}
training: {steps: 6, batch: 3, eval_every: 0, eval_batches: 1}
output: {log_every: 1}
YAML
runs=0

# fault FAULT SECONDS STATUS TEXT... -- ARGUMENT...: three ranks, one of which meets FAULT, end within SECONDS.
fault() {
  local kind=$1 limit=$2 start=$SECONDS
  shift 2
  runs=$((runs + 1))
  run=run$runs
  REFORMER_FAULT=$kind many 3 "$@" --run "$run"
  checks=$((checks + 1))
  [ $((SECONDS - start)) -le "$limit" ] && return
  failures=$((failures + 1))
  echo "FAILED: $kind took $((SECONDS - start)) s, allowed: $limit s"
}

expect() { # expect WHAT WANTED FOUND
  checks=$((checks + 1))
  [ "$2" = "$3" ] && return
  failures=$((failures + 1))
  echo "FAILED: $1: found '$3', wanted '$2'"
}

for sequence in 1 3; do
  for rank in 0 2; do
    fault $rank:2:data 20 3 "error: rank $rank on host $HOSTNAME: step 2: the data cannot be read" -- train tiny.yaml -s mesh.sequence=$sequence
    expect "steps before the data fault" 1 "$(wc -l <$run/metrics.jsonl)"
    fault $rank:3:memory 20 1 "error: rank $rank on host $HOSTNAME: step 3: out of memory" -- train tiny.yaml -s mesh.sequence=$sequence
    expect "steps before memory ran out" 2 "$(wc -l <$run/metrics.jsonl)"
    expect "a checkpoint of a run that failed" "" "$(ls $run/checkpoints 2>/dev/null)"
  done
done

# A NaN on one rank: all skip the step, and the run goes on; a run on which no rank skipped alone ends as one.
fault 1:2-3:nonfinite 40 0 "step 2: loss" "not finite, the step is skipped" "checkpoint run" -- train tiny.yaml -s mesh.sequence=3
expect "skipped steps" 2 "$(grep -c '"skipped":true' $run/metrics.jsonl)"
check 0 "whole" -- verify $run/checkpoints/step-00000006
fault 2:2-4:nonfinite 20 1 "error: step 4: loss or gradient were not finite in 3 steps in a row" -- train tiny.yaml

fault 0:1:nonsense 20 2 "REFORMER_FAULT: found '0:1:nonsense'; allowed:" -- train tiny.yaml

# One rank fails where it turns to the others, from the making of the mesh to the first step (src/comm/fault.h): the
# others hear of it, whatever they wait in. Every rank in turns, at turns drawn from each stretch of three; a turn that is
# never reached leaves the run well, and fails the check.
most_seconds=30
RANDOM=20 # the seed
for ((i = 0; i < 24; i++)); do
  rank=$((i % 3)) turn=$((3 * i + 1 + RANDOM % 3))
  REFORMER_RANK_FAULT=$rank:$turn aside many 3 1 "error: rank $rank on host $HOSTNAME: out of memory (REFORMER_RANK_FAULT, turn $turn)" \
    -- train tiny.yaml --run turn$turn -s mesh.sequence=3 -s training.memory_limit=auto
done
# The same while a third is still in the opening of the mesh, where it may not leave the others.
if command -v cc >/dev/null && [ -z "${ASAN_OPTIONS-}" ]; then
  if cc -shared -fPIC -w -o slow_test.so "$source_dir/tests/support/slow_test.c"; then
    for rank in 0 2; do
      REFORMER_RANK_FAULT=$rank:2 SLOW_RANK=1 SLOW_SECONDS=0.6 aside launch 1 "error: rank $rank on host $HOSTNAME: out of memory (REFORMER_RANK_FAULT, turn 2)" \
        -- -n 3 env LD_PRELOAD="$work/slow_test.so" "$PROGRAM" train tiny.yaml --run slow$rank -s mesh.sequence=3
    done
  else
    checks=$((checks + 1)) failures=$((failures + 1))
    echo "FAILED: the library of a slow network cannot be built"
  fi
fi
REFORMER_RANK_FAULT=1:30 aside many 3 1 "rank 1 on host $HOSTNAME: out of memory" -- bench cluster tiny.yaml
REFORMER_RANK_FAULT=1:12 aside many 3 1 "rank 1 on host $HOSTNAME: out of memory" -- bench step tiny.yaml
asides_end
most_seconds=60

# One rank hangs: each rank says what it waits for, and the one that hangs that it waits for nobody.
hang() { # hang RANK STEP
  local start=$SECONDS output status rank
  output=$(REFORMER_FAULT=$1:$2:hang timeout 60 mpirun ${mpirun_flags[@]+"${mpirun_flags[@]}"} -n 3 "$PROGRAM" train tiny.yaml \
    --run hang$1 -s mesh.sequence=3 -s training.step_timeout=3 2>&1 </dev/null)
  status=$?
  local before=$failures
  expect "status of a run that hangs" 1 $status
  for rank in 0 1 2; do
    local doing="it has waited [0-9.]* s for "
    [ $rank = $1 ] && doing="it does not wait for other ranks"
    expect "lines of rank $rank" 1 "$(grep -c "^error: rank $rank on .*: step $2 exceeds training.step_timeout = 3 s; $doing" <<<"$output")"
  done
  checks=$((checks + 1))
  [ $((SECONDS - start)) -le 15 ] || { failures=$((failures + 1)); echo "FAILED: rank $1 hung for $((SECONDS - start)) s"; }
  [ $failures = $before ] || echo "$output"
}
hang 0 2
hang 2 1
finish
