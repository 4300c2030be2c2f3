#!/usr/bin/env bash
# Whatever is wrong with the input, the exit status says whose fault it is and the message what to change.
# PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1

# A model that trains in no time, on real bytes.
seq 1 20000 >text.txt
write_good() { # write_good KIND PATH VOCAB
  cat <<YAML
model: {vocab_size: $3, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 32}
lsh: {chunk: 16, n_hashes: 2}
data: {kind: $1, path: '$2', length: 64}
training: {steps: 2, batch: 2, eval_every: 1, eval_batches: 1}
output: {log_every: 1}
YAML
}
write_good bytes text.txt 256 >good.yaml

# --- keys ---
check_config 2 "bad.yaml:3: model.d_modle: unknown key" "model.d_model" -- <<'YAML'
data: {kind: duplicate, length: 64}
model:
  d_modle: 256
YAML
check_config 2 "bad.yaml:2: optimiser" "unknown key" "nearest known key" -- <<'YAML'
data: {kind: duplicate, length: 64}
optimiser: {lr: 1}
YAML
check_config 2 "bad.yaml:3: lsh.chunk: given twice, first on line 2" -- <<'YAML'
lsh:
  chunk: 64
  chunk: 32
data: duplicate
YAML
check_config 2 "data.kind is missing" "bytes, tokens, duplicate" -- <<'YAML'
model: {d_model: 64}
YAML
check 2 "--set lsh.n_hash: unknown key" "lsh.n_hashes" -- train good.yaml --set lsh.n_hash=2
check 2 "--set lsh.n_hashes" "key.path=value" -- train good.yaml --set lsh.n_hashes

# --- products in bfloat16: with a library and a processor that have them, and in float ---
if "$PROGRAM" train good.yaml --run run-narrow -s model.precision=bf16 >narrow.txt 2>&1; then
  check 0 "model.precision: full from step 3 on, bf16 up to there" \
    -- train good.yaml --run run-narrow -s model.precision=full -s training.steps=3
else
  check_config 2 "model.precision: found bf16, but this" "allowed here: full" -- -s model.precision=bf16 <good.yaml
fi

# --- types ---
check_config 2 "bad.yaml:2: model.n_layers: found 'six'" "a whole number from 1 to 1022" -- <<'YAML'
model:
  n_layers: six
YAML
check_config 2 "bad.yaml:1: model.causal: found 'yes'" "true, false" -- <<'YAML'
model: {causal: yes}
YAML
check_config 2 "bad.yaml:1: model.attention" "'sparse'" "lsh, local, full" -- <<'YAML'
model: {attention: [lsh, sparse]}
YAML
check_config 2 "bad.yaml:2" "not valid YAML" -- <<'YAML'
model: {d_model: 64
data: duplicate
YAML
check 2 "--set training.steps: found 'many'" "a whole number" -- train good.yaml --set training.steps=many

# --- ranges ---
check_config 2 "bad.yaml:2: model.dropout: found '1.5'" "at least 0 and below 1" -- <<'YAML'
model:
  dropout: 1.5
YAML
check 2 "--set lsh.n_hashes: found '65'" "from 1 to 64" -- train good.yaml -s lsh.n_hashes=65
check 2 "--set lsh.n_buckets: found '7'" "even" -- train good.yaml -s lsh.n_buckets=7
check 2 "--set optimizer.lr: found '-1'" "above 0" -- train good.yaml -s optimizer.lr=-1
check 2 "--hashes: found '0'" "from 1 to 64" -- eval good.yaml --hashes 0

# --- sizes that do not fit each other ---
check 2 "--set model.n_heads: found 3, which does not divide d_model = 16" -- train good.yaml -s model.n_heads=3
check 2 "--set training.accumulate: found 2; allowed: a divisor of training.batch = 3" \
  -- train good.yaml -s training.batch=3 -s training.accumulate=2
check 2 "--set model.positions.shape: found [4, 4], which has 16 places" "[8, 8]" \
  -- train good.yaml -s 'model.positions.shape=[4, 4]'
check 2 "--set model.positions.dims: found [8, 9], whose sum is 17" "d_model = 16" \
  -- train good.yaml -s 'model.positions.dims=[8, 9]'
check 2 "model.d_head: found 3" "even" -- train good.yaml -s model.d_head=3 -s model.positions=rotary
check 2 "--set optimizer.warmup: found 3; allowed: at most training.steps = 2" -- train good.yaml -s optimizer.warmup=3
check 2 "data.length: found 63" "even" -- train good.yaml -s data.kind=duplicate -s data.length=63
check 2 "model.vocab_size: found 255" "at least 256" -- train good.yaml -s model.vocab_size=255
check 2 "--set data.split: found a sum of 1.1" -- train good.yaml -s 'data.split=[1, 0.1, 0]'
check 2 "good.yaml: model.causal: found false; allowed: true" -- train good.yaml -s model.causal=false

# --- data ---
: >empty.bin
printf 'only a few bytes' >short.bin
printf 'odd' >odd.bin
check 3 "missing.txt" -- train good.yaml -s data.path=missing.txt --run run
check 3 "empty.bin" "empty" -- train good.yaml -s data.path=empty.bin --run run
check 3 "short.bin" -- train good.yaml -s data.path=short.bin --run run
check 3 "$work" -- train good.yaml -s "data.path=$work" --run run
check 3 "odd.bin" -- train good.yaml -s data.kind=tokens -s data.path=odd.bin --run run
check 2 "data.path" -- train good.yaml -s "data.path=''" --run run
[ -e run ] && echo "FAILED: bad data left a run folder behind" && failures=$((failures + 1))

# A token id (777) beyond the vocabulary (300), at an even place among 20,000 tokens that are fine.
head -c 40000 /dev/zero >tokens.bin
printf '\011\003' | dd of=tokens.bin bs=2 seek=100 conv=notrunc status=none
write_good tokens tokens.bin 300 >tokens.yaml
check 3 "tokens.bin: token 777 at byte 200" "0 to 299" \
  -- train tokens.yaml --run run-tokens -s training.steps=200 -s training.eval_every=0 -s output.log_every=100

# --- run folder ---
: >file
mkdir -p taken && : >taken/config.yaml
check 2 "run folder /dev/null/x" "--run DIR" -- train good.yaml --run /dev/null/x
check 2 "run folder file" "--run DIR" -- train good.yaml --run file
check 2 "run folder file/x" "--run DIR" -- train good.yaml --run file/x
check 2 "run folder /proc/x" "--run DIR" -- train good.yaml --run /proc/x
check 2 "holds a run already" "--run DIR" -- train good.yaml --run taken --resume never
check 2 "--run: found a path of 0 bytes" -- train good.yaml --run ''

# --- and with nothing wrong, the same file trains, leaves a run behind, and its resolved configuration trains again ---
check 0 "run folder run-good" -- train good.yaml --run run-good
for name in config.yaml metrics.jsonl log.txt; do
  checks=$((checks + 1))
  [ -s "run-good/$name" ] || { failures=$((failures + 1)); echo "FAILED: run-good/$name is missing or empty"; }
done
check 0 -- train run-good/config.yaml --run run-again
checks=$((checks + 1))
cmp run-good/config.yaml run-again/config.yaml || failures=$((failures + 1))
check 0 "run folder runs/good-1" -- train good.yaml
check 0 "run folder runs/good-2" -- train good.yaml
finish
