#!/usr/bin/env bash
# Of jobs that want one run's folder one has it, asleep or awake, and a dead one keeps nobody out. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
command -v mpirun >/dev/null || { echo "no mpirun here: nothing to try"; exit 77; }
. "$source_dir/tests/cli/check.sh" || exit 1
export OMPI_MCA_btl_vader_backing_directory=$work # what killed ranks leave there
. "$source_dir/tests/cli/resume.sh"
write_tiny

# --- at the same moment, a run that is new and one that is there: one job trains, the others are refused ---
for turn in 1 2 3 4; do
  jobs=()
  for i in 1 2 3; do
    "$PROGRAM" train tiny.yaml --run "run$((turn % 2))" $long >"out.$i" 2>&1 </dev/null &
    jobs+=($!)
  done
  refused=0 owner=
  for ((wait = 0; wait < 600 && refused < 2; wait++)); do
    sleep 0.1
    refused=$(grep -l 'another job' out.[123] | wc -l)
  done
  for i in 1 2 3; do grep -q 'another job' out.$i || owner=$i; done
  wait_for '^step' "out.${owner:-1}"
  kill -USR1 "${jobs[@]}" 2>/dev/null
  statuses=
  for i in 0 1 2; do
    wait "${jobs[$i]}"
    statuses="$statuses $?"
  done
  expect "exit statuses of three jobs" " 2 2 75" "$(tr ' ' '\n' <<<"$statuses" | sort -n | tr '\n' ' ' | sed 's/^ *\(.*\) $/ \1/')"
done
check 0 "whole" -- verify "$(ls -d run0/checkpoints/step-* | tail -n 1)"

# --- an owner that sleeps is one ---
"$PROGRAM" train tiny.yaml --run asleep $long >asleep.out 2>&1 </dev/null &
job=$!
wait_for 'step 3/' asleep.out
kill -STOP $job
check 2 "asleep/lock: another job writes into this run's folder" "process $job" -- train tiny.yaml --run asleep $long
kill -CONT $job
kill -USR1 $job
wait $job
expect "status of the owner that slept" 75 $?

# --- a launcher that is killed alone: its ranks end by themselves, and until then keep others out ---
mpirun --oversubscribe --bind-to none -n 3 "$PROGRAM" train tiny.yaml --run orphans $long >orphans.out 2>&1 </dev/null &
job=$!
wait_for 'step 8/' orphans.out
kill -KILL $job
wait $job 2>/dev/null
for ((i = 0; i < 60; i++)); do
  output=$("$PROGRAM" train tiny.yaml --run orphans $long -s training.max_minutes=0.001 2>&1 </dev/null)
  status=$?
  [ $status = 2 ] || break
  case "$output" in *"another job writes"*) ;; *) fail "refused for another reason: $output" ;; esac
  sleep 0.5
done
expect "status of the run that goes on" 75 "$status"
case "$output" in *"is loaded"*) ;; *) fail "the run does not go on: $output" ;; esac
check 0 "whole" -- verify "$(ls -d orphans/checkpoints/step-* | tail -n 1)"
finish
