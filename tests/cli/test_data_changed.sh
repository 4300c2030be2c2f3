#!/usr/bin/env bash
# A run whose data changed between stop and resume says so, and what follows from it. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
export OMP_NUM_THREADS=1

seq 1 4000 >whole.txt
cp whole.txt text.txt
cat >tiny.yaml <<'YAML'
model: {vocab_size: 256, d_model: 16, n_layers: 2, n_heads: 2, d_ff: 32, attention: [local, lsh]}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: bytes, path: text.txt, length: 64, split: [0.8, 0.1, 0.1]}
training: {steps: 2, batch: 2, eval_every: 2, eval_batches: 1}
output: {log_every: 1}
YAML
silent() { # silent ARGUMENT...: goes well, and calls no data changed
  local said status
  said=$("$PROGRAM" "$@" 2>&1 </dev/null)
  status=$?
  checks=$((checks + 1))
  [ $status = 0 ] && [[ $said != *"is not what it was"* ]] && return
  failures=$((failures + 1))
  printf 'FAILED: reformer %s\n  status %s, wanted 0, and nothing on changed data\n%s\n' "$*" $status "$said"
}
goes_on() { # goes_on TEXT...: one step from step 2 on, in a run of its own
  rm -rf on
  cp -r run on
  check 0 "$@" "state after step 2 is loaded" -- train tiny.yaml --run on -s training.steps=3
}
warned="warning: data.path: text.txt is not what it was up to step 2: it "
silent train tiny.yaml --run run
checkpoint=run/checkpoints/step-00000002
check 0 "trained on data of 18893 bytes, samples " -- inspect $checkpoint
check 0 '"data": {' '"bytes": 18893' '"samples": "' -- inspect --json $checkpoint
silent eval $checkpoint

echo more >>text.txt
goes_on "${warned}has grown, and what was there is as it was (18898 bytes, then 18893)" "may be for training now" "best checkpoint"
check 0 "${warned}has grown" "validation: loss" -- eval $checkpoint
silent eval $checkpoint --data text.txt
sed 's/^2000$/2001/' whole.txt >text.txt
goes_on "${warned}holds other bytes (18893 bytes, then 18893)"
head -c 9000 whole.txt >text.txt
goes_on "${warned}holds other bytes (9000 bytes, then 18893)" # all of a small file is one sample
for i in 1 2 3 4 5; do cat whole.txt; done >large.txt
cp large.txt text.txt
rm -rf run
silent train tiny.yaml --run run
head -c 80000 large.txt >text.txt
goes_on "${warned}has been cut short, and what is left is as it was (80000 bytes, then 94465)"
cp large.txt elsewhere.txt
rm -rf on && cp -r run on
silent train tiny.yaml --run on -s training.steps=3 -s data.path=elsewhere.txt # the same file

# what knows nothing of its data, as checkpoints of before did: none here has a file
silent train tiny.yaml --run none -s data.kind=duplicate
check 0 '"data": null' -- inspect --json none/checkpoints/step-00000002
silent train tiny.yaml --run none -s training.steps=3
finish
