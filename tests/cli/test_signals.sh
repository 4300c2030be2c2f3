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
kill -TERM $process
ended ignoring 75
expect "reason" "stopped by SIGTERM" "$(grep -o '^stopped by SIG[A-Z0-9]*' ignoring.out)"

# --- a second wish ends it at once, a second later; one that nobody sends twice on purpose does not ---
slow="-s data.length=262144 -s model.attention=full" # steps of many minutes
start_slow() { # start_slow RUN: in the background until it is in a step
  env --default-signal=INT "$PROGRAM" train tiny.yaml --run "$1" $long $slow >"$1.out" 2>&1 </dev/null &
  process=$!
  wait_for 'parameters; ' "$1.out"
  at_work $process
}
start_slow twice-INT
kill_until_gone INT $process
ended twice-INT 130
start_slow twice-HUP
kill -TERM $process
for ((i = 0; i < 15; i++)); do kill -HUP $process; sleep 0.1; done # most of them more than a second later
kill_until_gone TERM $process
ended twice-HUP 143 # not HUP's 129

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
sleep 3 # twice the limit
lines=$(wc -l <still/metrics.jsonl)
kill -CONT $process
for ((i = 0; i < 600 && $(wc -l <still/metrics.jsonl) <= lines + 1; i++)); do sleep 0.1; done # it goes on
kill -TERM $process
ended still 75
saved still
finish
