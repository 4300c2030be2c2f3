#!/usr/bin/env bash
# Standard streams that are full, closed, or read by nobody. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/resume.sh"
write_tiny
last=run/checkpoints/step-00000020
check 0 "checkpoint $last" -- train tiny.yaml --run run

# --- a disk that is full behind standard output: status 1, and why ---
while read -r command; do
  [ -z "${ASAN_OPTIONS-}" ] || case $command in *json | bench*) ;; *) continue ;; esac # a start takes a second
  output=$("$PROGRAM" $command 2>&1 >/dev/full)
  expect "status of $command on a full disk" 1 $?
  expect "message of $command on a full disk" "error: standard output could not be written: No space left on device" \
    "$(grep '^error' <<<"$output")"
  output=$("$PROGRAM" $command 2>&1 >&-)
  expect "status of $command without standard output" 1 $?
  expect "message of $command without standard output" "error: standard output could not be written: Bad file descriptor" \
    "$(grep '^error' <<<"$output")"
  # --- a reader that goes has what it wanted ---
  "$PROGRAM" $command 2>err | true
  expect "status of $command without a reader" 0 "${PIPESTATUS[0]}"
  expect "message of $command without a reader" "" "$(grep -v '^warning' err)"
done <<END
--version
--help
train --help
help config --markdown
inspect $last
inspect $last --json
plan tiny.yaml
bench step tiny.yaml --steps 1
END
# --- training says what it says to a stream; nobody need listen ---
same() { # same WHAT RUN STATUS: it was trained to the end, with a whole log
  expect "status of a run $1" 0 "$3"
  same_run "a run $1" run "$2"
  expect "lines in the log of a run $1" "$(wc -l <run/log.txt)" "$(wc -l <"$2/log.txt")"
}
"$PROGRAM" train tiny.yaml --run piped 2>&1 | head -n 1 >/dev/null
same "read by head" piped "${PIPESTATUS[0]}"
"$PROGRAM" train tiny.yaml --run unread 2>&1 | true
same "read by nobody" unread "${PIPESTATUS[0]}"
"$PROGRAM" train tiny.yaml --run full >/dev/full 2>&1
same "on a full disk" full $?
"$PROGRAM" train tiny.yaml --run closed <&- >&- 2>&-
same "without standard streams" closed $?
for file in closed/log.txt closed/metrics.jsonl closed/config.yaml; do
  checks=$((checks + 1))
  [ "$(wc -c <"$file")" -lt 20000 ] && ! grep -q "^warning.*Bad file" "$file" || fail "$file got what was said to a closed stream"
done
check 0 "whole" -- verify closed/checkpoints/step-00000020
"$PROGRAM" train tiny.yaml --run blind 2>/dev/null <&-
same "without standard input" blind $?
output=$("$PROGRAM" train /dev/stdin --run never 2>&1 <&-)
expect "status of a configuration from a closed stream" 2 $?

# --- a terminal that goes away, to a run that ignores it ---
if command -v script >/dev/null; then
  script -qfc "trap '' HUP; exec '$PROGRAM' train tiny.yaml --run lost -s training.steps=400" /dev/null >lost.out 2>&1 </dev/null &
  terminal=$!
  wait_for 'step [3-9]/' lost.out
  kill -KILL $terminal
  wait $terminal 2>/dev/null
  wait_for 'step 400/400' lost/log.txt
  wait_for 'test: loss' lost/log.txt
  check 0 "the 400 steps of training.steps are done" -- train tiny.yaml --run lost -s training.steps=400
fi
finish
