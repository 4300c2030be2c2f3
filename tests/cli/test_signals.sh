#!/usr/bin/env bash
# Signals to a run: which are a wish to stop, which stay ignored, and a run that stood still. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/resume.sh"
write_tiny
long="-s training.steps=1000000 -s checkpoint.every=0 -s training.eval_every=0"

start() { # start RUN [ENV-ARGUMENT...]: in the background until it trains; a script's background jobs ignore SIGINT
  local run=$1
  shift
  env --default-signal=INT "$@" "$PROGRAM" train tiny.yaml --run "$run" $long >"$run.out" 2>&1 </dev/null &
  process=$!
  wait_for 'step [3-9]/' "$run.out"
}
ended() { # ended RUN STATUS
  wait $process 2>/dev/null
  expect "status of $1" "$2" $?
}
saved() { # saved RUN: the last step that it did
  local step
  step=$(sed -n 's/^stopped by [^ ]* after step \([0-9]*\) of.*/\1/p' "$1.out")
  checks=$((checks + 1))
  [ -n "$step" ] && [ -e "$1/checkpoints/step-$(printf %08d "$step")/COMMIT" ] || { fail "$1 is not saved"; tail -n 3 "$1.out"; }
}

for signal in TERM INT HUP USR1 USR2 XCPU; do
  start $signal
  kill -$signal $process
  ended $signal 75
  saved $signal
  expect "reason" "stopped by SIG$signal" "$(grep -o '^stopped by SIG[A-Z0-9]*' $signal.out)"
done

# --- what was ignored stays so ---
start ignoring --ignore-signal=HUP,INT
kill -HUP $process
kill -INT $process
sleep 0.2
kill -0 $process 2>/dev/null || fail "a signal that was ignored ended the run"
kill -TERM $process
ended ignoring 75
expect "reason" "stopped by SIGTERM" "$(grep -o '^stopped by SIG[A-Z0-9]*' ignoring.out)"

# --- a second wish ends it at once, a second later; one that nobody sends twice on purpose does not ---
slow="-s training.batch=600 -s data.length=4096 -s training.accumulate=1 -s lsh.n_hashes=8" # steps of seconds
for case in INT:130 HUP:75; do
  signal=${case%:*}
  # one thread: as long on a machine of many cores
  env --default-signal=INT OMP_NUM_THREADS=1 "$PROGRAM" train tiny.yaml --run twice-$signal $long $slow >twice-$signal.out 2>&1 </dev/null &
  process=$!
  wait_for 'parameters' twice-$signal.out
  sleep 0.5
  [ $signal != HUP ] || { kill -TERM $process; sleep 0.2; }
  kill -$signal $process
  sleep 1.3
  kill -$signal $process 2>/dev/null
  [ $signal != HUP ] || { sleep 0.3; kill -0 $process 2>/dev/null || fail "a second SIGHUP ends a run"; kill -KILL $process; wait $process 2>/dev/null; continue; }
  ended twice-$signal ${case#*:}
done

# --- a bench ends as well, and leaves no state behind ---
mkdir benched
env --default-signal=INT "$PROGRAM" bench checkpoint tiny.yaml -f benched -n 100000 >bench.out 2>&1 </dev/null &
process=$!
for ((i = 0; i < 200; i++)); do ls benched/*/waiting >/dev/null 2>&1 && break; sleep 0.05; done
kill -INT $process
ended bench 75
expect "what a bench that was stopped leaves" "" "$(ls benched)"

# --- a limit of CPU time: the kernel says so every second from then on ---
limit=1
[ -z "${ASAN_OPTIONS-}" ] || limit=6 # a start takes seconds
( ulimit -S -t $limit && exec "$PROGRAM" train tiny.yaml --run cpu $long >cpu.out 2>&1 </dev/null )
expect "status of a run whose CPU time is over" 75 $?
saved cpu

# --- a run that stood still did not hang ---
long="$long -s training.step_timeout=1.5"
start still
kill -STOP $process
sleep 3
kill -CONT $process
sleep 0.5
kill -TERM $process
ended still 75
saved still
finish
