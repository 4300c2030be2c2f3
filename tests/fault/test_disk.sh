#!/usr/bin/env bash
# A disk that is full, read-only or gone harms no checkpoint and stops no run. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
command -v mpirun >/dev/null || { echo "no mpirun here: nothing to try"; exit 77; }
# Mounts of its own, which end with this script.
if [ "${3-}" != mounts ]; then
  unshare --mount true 2>/dev/null || { echo "only root may mount a small disk: skipped"; exit 77; }
  exec unshare --mount bash "$0" "$1" "$2" mounts
fi
. "$source_dir/tests/cli/check.sh" || exit 1
trap 'cd /; umount "$work/small" 2>/dev/null; rm -rf "$work"' EXIT
. "$source_dir/tests/cli/resume.sh"
write_tiny

train() { # train RANKS RUN ARGUMENT...: in the background; its id is in $job
  local ranks=$1 run=$2
  shift 2
  out=$work/out.$((++started))
  local launcher=
  [ "$ranks" = 1 ] || launcher="mpirun --oversubscribe --bind-to none -n $ranks"
  $launcher "$PROGRAM" train tiny.yaml --run "$run" -s training.steps=1000000 -s training.eval_every=0 \
    -s checkpoint.every=25 -s checkpoint.keep=2 "$@" >"$out" 2>&1 </dev/null &
  job=$!
}
started=0

stop() { # stop STATUS TEXT...: ends the run, which must say every TEXT, with one error where the status is one
  local status=$1 found text
  shift
  kill -USR1 $job # to mpirun, too: it passes it on
  wait $job
  found=$?
  expect "exit status" "$status" "$found"
  expect "errors" "$((status != 75))" "$(grep -c '^error: ' "$out")"
  for text in "$@"; do grep -q "$text" "$out" || fail "the run does not say '$text'"; done
  expect "checkpoints that were warned of twice" "" "$(grep -o '^warning: checkpoint [^ ]* could' "$out" | sort | uniq -d)"
  [ "$failures" = "$failures_before" ] || grep -v '^step' "$out"
  failures_before=$failures
}
failures_before=0

wait_for_more() { # wait_for_more TEXT [N]: until the output has it N more times than now
  local i before now
  before=$(grep -c "$1" "$out")
  for ((i = 0; i < 600; i++)); do
    now=$(grep -c "$1" "$out")
    [ "$now" -ge $((before + ${2-1})) ] && return
    sleep 0.1
  done
  fail "'$1' does not come ${2-1} more times"
  grep -v '^step' "$out"
}

all_verify() { # all_verify FOLDER [UNFINISHED]: every checkpoint in it, of which there are some; nothing else is there
  # UNFINISHED: but one, too, which was under way when nothing could be removed any more.
  local one n=0 unfinished=${2+1}
  for one in "$1"/step-*; do
    case "$one" in
    *.tmp-*)
      [ "${unfinished-}" = 1 ] || fail "left behind: $one"
      unfinished=
      continue
      ;;
    *.*) fail "left behind: $one" ;;
    esac
    check 0 "whole" -- verify "$one"
    n=$((n + 1))
  done
  [ $n -ge 1 ] || fail "$1 holds no checkpoint"
}

each_step_once() { # each_step_once RUN
  local n
  n=$(wc -l <"$1/metrics.jsonl")
  expect "steps of $1" "$(seq "$n")" "$(figures "$1" | sed -n 's/"step":\([0-9]*\) .*/\1/p')"
}

fill() { dd if=/dev/zero of=small/filler bs=4k oflag=append conv=notrunc 2>/dev/null; }

# --- full, to the end: status 1, and what was saved before is whole ---
mkdir small && mount -t tmpfs -o size=3m none small || exit 1
train 1 small/run
wait_for 'checkpoint small/run/checkpoints/step-00000025$' "$out"
fill
wait_for_more 'could not be saved: .*No space left on device; older ones stay' 2
wait_for 'metrics.jsonl cannot be written: No space left on device; its lines wait in memory' "$out"
stop 1 '^error: the state after step [0-9]*, the last, could not be saved'
all_verify small/run/checkpoints
fill # what a save that was under way has given back since
check 1 "No space left on device" -- train tiny.yaml --run small/run # the disk is still full
all_verify small/run/checkpoints

# --- what other commands write: not there, and the program ends as after any other failure ---
one=$(ls -d small/run/checkpoints/step-* | head -1)
check 1 "small/x.h5: cannot be written: No space left on device: it needs" "and 0 are free" -- eval "$one" --logits small/x.h5
check 1 "cannot be written: No space left on device" -- export "$one" -o small/x
[ ! -e small/config.json ] || fail "a configuration without its model"
check 1 "small/x.html: cannot be written: No space left on device" -- report small/run -o small/x.html
check 1 "small/x.json: cannot be written: No space left on device" -- bench step tiny.yaml --steps 1 --json small/x.json
check 1 "No space left on device" -- bench checkpoint tiny.yaml --steps 1 --folder small
expect "left on the full disk" "filler run" "$(ls -A small | tr '\n' ' ' | sed 's/ $//')"

# --- data on it that have holes, which a mapping would have to fill: killed by SIGBUS ---
truncate -s 200000 small/sparse
check 0 "checkpoint sparse/checkpoints/step-00000003" -- train tiny.yaml --run sparse -s training.steps=3 \
  -s data.kind=bytes -s data.path=small/sparse -s model.vocab_size=256
rm small/sparse

# --- full for a while, on several ranks: the next one is saved, and no line is lost ---
rm small/filler
train 3 small/run
wait_for 'is loaded' "$out"
wait_for_more 'checkpoint small/run/checkpoints/step-[0-9]*$'
fill
wait_for_more 'could not be saved: .*No space' 2
rm small/filler
wait_for_more '^checkpoint small/run/checkpoints/step-[0-9]*$'
stop 75 "stopped by SIGUSR1"
all_verify small/run/checkpoints
each_step_once small/run

# --- read-only for a while ---
mount --bind small/run/checkpoints small/run/checkpoints
train 1 small/run -s checkpoint.async=true
wait_for_more '^checkpoint small/run/checkpoints/step-[0-9]*$'
mount -o remount,bind,ro small/run/checkpoints || fail "cannot be made read-only"
wait_for_more 'could not be saved: .*Read-only file system' 2
all_verify small/run/checkpoints unfinished
mount -o remount,bind,rw small/run/checkpoints
wait_for_more '^checkpoint small/run/checkpoints/step-[0-9]*$'
stop 75 "stopped by SIGUSR1"
umount small/run/checkpoints
all_verify small/run/checkpoints
each_step_once small/run

# --- read-only from the start ---
mount -o remount,ro small
check 2 "small/run/lock: cannot be written: Read-only file system" -- train tiny.yaml --run small/run
check 2 "run folder small/new: cannot be made" "--run DIR" -- train tiny.yaml --run small/new
mount -o remount,rw small
all_verify small/run/checkpoints

# --- folders that go: made again where the run's own folder is still there ---
train 1 run -s checkpoint.async=true
wait_for 'checkpoint run/checkpoints/step-00000025$' "$out"
mv run/checkpoints gone
wait_for_more '^checkpoint run/checkpoints/step-[0-9]*$' 2
stop 75 "stopped by SIGUSR1"
all_verify gone unfinished
all_verify run/checkpoints
train 1 run
wait_for '^step' "$out"
mv run away
wait_for_more "could not be saved: the run's lock is lost: run/lock: cannot be opened: No such file" 2
expect "a run's folder that was moved away, made again" "" "$(ls -d run 2>/dev/null)"
mv away run
wait_for_more '^checkpoint run/checkpoints/step-[0-9]*$'
stop 75 "stopped by SIGUSR1"
all_verify run/checkpoints
each_step_once run
train 1 run
wait_for '^step' "$out"
rm -r run
wait_for_more "could not be saved" 2
stop 1 '^error: the state after step [0-9]*, the last, could not be saved'

# --- HDF5 lays files out in memory, and elsewhere where that is full ---
mount -t tmpfs -o size=4k none /dev/shm && dd if=/dev/zero of=/dev/shm/filler 2>/dev/null
check 0 "checkpoint shm/checkpoints/step-00000020" -- train tiny.yaml --run shm
umount /dev/shm
all_verify shm/checkpoints

# --- calls that fail, where the program is built for that ---
if [ "$(REFORMER_IO_FAULT=nonsense "$PROGRAM" train tiny.yaml --run nonsense 2>&1 | grep -c '^error: REFORMER_IO_FAULT')" = 1 ]; then
  . "$source_dir/tests/cli/many.sh"
  REFORMER_IO_FAULT=1:1:EIO many 3 0 "step-00000007 could not be saved: rank 1 on host " "cannot be made: Input/output error" \
    "checkpoint eio/checkpoints/step-00000014" "checkpoint eio/checkpoints/step-00000020" -- train tiny.yaml --run eio -s mesh.sequence=3
  all_verify eio/checkpoints
  REFORMER_IO_FAULT=2:1-99999:EIO many 3 1 "step-00000021 could not be saved: rank 2 on host " \
    "error: the state after step 24, the last, could not be saved" -- train tiny.yaml --run eio -s mesh.sequence=3 -s training.steps=24
  all_verify eio/checkpoints
  REFORMER_IO_FAULT=0:4:EIO many 3 0 "could not be saved: " "Input/output error" "checkpoint eio/checkpoints/step-00000024" \
    -- train tiny.yaml --run eio -s mesh.sequence=3 -s training.steps=24
  all_verify eio/checkpoints
fi
finish
