#!/usr/bin/env bash
# Runs on several ranks that are stopped, killed or damaged, and go on. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
command -v mpirun >/dev/null || { echo "no mpirun here: nothing to try"; exit 0; }
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/many.sh"
. "$source_dir/tests/cli/resume.sh"
write_tiny

# --- 20 steps are 7 and 13, to the bit, whether training goes on meanwhile or not ---
for options in "-s mesh.sequence=2 -s checkpoint.async=true" "-s optimizer.kind=adafactor -s optimizer.beta1=0.9 -s training.batch=8"; do
  rm -rf whole part
  many 2 0 "checkpoint whole/checkpoints/step-00000020" -- train tiny.yaml --run whole $options
  many 2 0 "checkpoint part/checkpoints/step-00000007" -- train tiny.yaml --run part $options -s training.steps=7
  many 2 0 "step-00000007: the state after step 7 is loaded" -- train tiny.yaml --run part $options
  same_run "7 + 13 steps on 2 ranks, $options" whole part
done
cp -r part more
many 3 0 "written by 2 ranks (1 x 2), this is 3 (3 x 1)" -- train tiny.yaml --run more $options -s training.steps=21 -s mesh.sequence=3

# --- damage that one rank finds is known to all ---
flip whole/checkpoints/step-00000020/shard-00001-of-00002.h5 100000
many 2 0 "step-00000020 cannot be used and is passed over" "shard-00001-of-00002.h5: bytes" "the state after step 14" \
  -- train tiny.yaml --run whole $options
same_run "a run of 2 ranks that passed over a damaged checkpoint" part whole
for step in 07 14 20; do rm whole/checkpoints/step-000000$step/shard-00001-of-00002.h5; done
many 2 3 "none of its 3 checkpoints can be used" -- train tiny.yaml --run whole $options

# --- a signal to one rank, or to the launcher; a rank that is killed ---
n=240
[ -z "${ASAN_OPTIONS-}" ] || n=60 # sanitizers make a step ten times as long
steps="-s training.steps=$n -s mesh.sequence=3 -s checkpoint.every=20"
start() { # start RUN: three ranks, in the background until they train; their launcher is $launcher
  mpirun ${mpirun_flags[@]+"${mpirun_flags[@]}"} -n 3 "$PROGRAM" train tiny.yaml --run "$1" $steps >"$1.out" 2>&1 </dev/null &
  launcher=$!
  wait_for 'step [3-9]/' "$1.out"
}
# Children of the launcher, or, of MPICH's, of its proxy.
ranks() { pgrep -P "$launcher,$(pgrep -d , -P "$launcher")" -f "train tiny.yaml"; }
killed=137
[ "${#mpirun_flags[@]}" != 0 ] || killed=9 # MPICH's launcher names the signal
a_rank() { ranks | sed -n "$1p"; }
ended() { # ended RUN STATUS
  wait $launcher
  expect "mpirun's status for $1" "$2" $?
}
many 3 0 "step $n/$n" -- train tiny.yaml --run long $steps
start one
kill -STOP $(ranks) # or it may be done before the other job was refused
many 2 2 "one" -- train tiny.yaml --run one $steps -s mesh.sequence=2
kill -CONT $(ranks)
kill -TERM "$(a_rank 3)"
ended one 75
grep -q "^stopped by SIGTERM after step [0-9]* of $n; to go on: mpirun -n 3 $PROGRAM train tiny.yaml --set" one.out || { fail "nobody says how to go on"; cat one.out; }
many 3 0 "step $n/$n" -- train tiny.yaml --run one $steps
same_run "a run of which one rank was stopped" long one
start all
kill -USR1 $launcher
ended all 75
grep -q "^stopped by SIGUSR1" all.out || { fail "nobody says that the launcher was signalled"; cat all.out; }
start killed
wait_for 'checkpoint killed' killed.out
kill -KILL "$(a_rank 2)"
ended killed $killed
many 3 0 "step $n/$n" -- train tiny.yaml --run killed $steps
same_run "a run of which one rank was killed" long killed
finish
