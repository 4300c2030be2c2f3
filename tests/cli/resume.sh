# For scripts about runs that go on: the tiny model that they train, and what they compare. After check.sh.
export OMP_NUM_THREADS=1
long="-s training.steps=1000000 -s checkpoint.every=5"

write_tiny() {
  cat >tiny.yaml <<'YAML'
model: {vocab_size: 128, d_model: 16, n_layers: 2, n_heads: 2, d_ff: 32, attention: [local, lsh], dropout: 0.1, attention_dropout: 0.1}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: duplicate, length: 96}
training: {steps: 20, batch: 6, accumulate: 2, eval_every: 7, eval_batches: 1}
optimizer: {schedule: rsqrt, warmup: 3, weight_decay: 0.01}
checkpoint: {every: 7, async: false}
output: {log_every: 1}
YAML
}

fail() {
  failures=$((failures + 1))
  echo "FAILED: $1"
}

expect() { # expect WHAT WANTED FOUND
  checks=$((checks + 1))
  [ "$2" = "$3" ] || fail "$1: found '$3', wanted '$2'"
}

# What must be the same to the bit, a line a step.
figures() { sed 's/.*\("step":[0-9]*\),\("loss":[^,]*\),.*\("learning_rate":[^,]*\),\("grad_norm":[^,]*\),.*/\1 \2 \3 \4/' "$1/metrics.jsonl"; }

# same_run WHAT RUN RUN: losses, gradient norms and rates of every step, and the state after the last. The numbers of a
# shard begin at 64 KiB; before them are HDF5's own tables.
same_run() {
  local file last
  last=$(cd "$2/checkpoints" && printf '%s\n' step-???????? | tail -n 1)
  expect "$1: lines" $((10#${last#step-})) "$(wc -l <"$3/metrics.jsonl")"
  expect "$1: figures" "$(figures "$2")" "$(figures "$3")"
  for file in "$2/checkpoints/$last"/shard-*; do
    checks=$((checks + 1))
    cmp -i 65536 "$file" "$3/checkpoints/$last/${file##*/}" || fail "$1: ${file##*/} of $last"
  done
}

wait_for() { # wait_for TEXT FILE: until it is there
  local i
  for ((i = 0; i < 600; i++)); do
    grep -q "$1" "$2" 2>/dev/null && return
    sleep 0.1
  done
  fail "'$1' does not come in $2"
  cat "$2"
}

at_work() { # at_work PROCESS: until it has computed for 0.2 s more
  local i before
  before=$(ticks "$1")
  for ((i = 0; i < 600 && $(ticks "$1") < before + 20; i++)); do sleep 0.1; done
}
ticks() { awk '{ print $14 + $15 }' "/proc/$1/stat"; } # of the processor

# kill_until_gone SIGNAL PROCESS: again and again, as who is impatient, so that at last one comes more than a second after
# the first was heard.
kill_until_gone() {
  local i
  for ((i = 0; i < 600; i++)); do
    kill -"$1" "$2" 2>/dev/null || return
    sleep 0.1
  done
  kill -KILL "$2"
}

flip() { # flip FILE OFFSET: one bit
  local byte
  byte=$(od -An -tu1 -j "$2" -N 1 "$1")
  printf "\\x$(printf %02x $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc status=none
}
