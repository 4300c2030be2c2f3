#!/usr/bin/env bash
# Files and folders given for others: the message says what they are and what to give instead. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1

seq 1 20000 >text.txt
cat >good.yaml <<YAML
model: {vocab_size: 256, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 32}
lsh: {chunk: 16, n_hashes: 2}
data: {kind: bytes, path: text.txt, length: 64}
training: {steps: 2, batch: 2, eval_every: 1, eval_batches: 1}
YAML

# quiet TEXT -- ARGUMENT...: done, and nothing of the kind is said.
quiet() {
  local text=$1
  shift 2
  checks=$((checks + 1))
  output=$("$PROGRAM" "$@" 2>&1 </dev/null) || { failures=$((failures + 1)); echo "FAILED: reformer $*: $output"; }
  case "$output" in *"$text"*) failures=$((failures + 1)); echo "FAILED: reformer $*: said '$text': $output" ;; esac
}

# What is what, and what to do, is tested in base/recognise, data/dataset and weights/safetensors.
printf 'version https://git-lfs.github.com/spec/v1\noid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 12345\n' >pointer
printf '\223NUMPY\001\000' >array.npy && head -c 4000 /dev/zero >>array.npy
tail -c 4000 array.npy >array.bin
printf 'GGUF\003\000\000\000' >model.gguf && head -c 4000 /dev/zero >>model.gguf
seq 1 20000 | gzip -n >text.gz
check 3 "array.npy: is a NumPy array" "tofile" -- train good.yaml --run never -s data.kind=tokens -s data.path=array.npy
check 3 "pointer: is a Git LFS pointer" "git lfs pull" -- train good.yaml --run never -s data.path=pointer -s data.length=16
check 0 "warning: text.gz: is a gzip archive, and its bytes are taken as they stand; if that was not meant, unpack" \
  -- train good.yaml --run packed -s data.path=text.gz
check 0 "warning: array" "which no text has" "data.kind: tokens" -- train good.yaml --run ids -s data.path=array.bin
quiet warning -- train good.yaml --run plain
seq 1 20000 | iconv -f UTF-8 -t UTF-16LE >wide.txt
check 0 "warning: wide.txt: is text in UTF-16" "iconv" -- train good.yaml --run wide -s data.path=wide.txt
check 0 "warning: wide.txt: its first tokens are the numbers of letters" "data.kind: bytes" \
  -- train good.yaml --run letters -s data.kind=tokens -s data.path=wide.txt
tokens="-s data.kind=tokens -s data.path=wide.txt -s model.vocab_size=65537"
check 2 "data.token_bytes (not given): found 2, whose ids end at 65535, for model.vocab_size = 65537; allowed: 4" -- plan good.yaml $tokens
check 0 -- plan good.yaml $tokens -s data.token_bytes=4
check 0 -- plan good.yaml $tokens -s model.vocab_size=65536
check 3 "model.gguf: is a GGUF model" ".safetensors" -- import model.gguf good.yaml -o never
check 2 "model.gguf: is a GGUF model" "a configuration in YAML or JSON" -- train model.gguf
printf '{"architectures": ["ReformerModelWithLMHead"], "model_type": "reformer"}' >config.json
check 2 "config.json: is HuggingFace's description of a model" -- plan config.json

# --- for a checkpoint ---
check 0 -- train good.yaml --run run -s checkpoint.every=1
newest=run/checkpoints/step-00000002
mkdir folder hub && cp model.gguf hub/model.safetensors
for command in inspect "export -o folder/never"; do
  check 3 "run is no checkpoint" "whose newest checkpoint is $newest" -- $command run
done
check 3 "the newest of which is $newest" -- eval run/checkpoints
check 3 "--resume: run is no checkpoint" "whose newest checkpoint is $newest" -- train good.yaml --run other --resume run
check 3 "a file of the checkpoint $newest" -- eval $newest/manifest.h5
check 3 "good.yaml is no checkpoint" "it is a file, and a checkpoint is a folder" -- eval good.yaml
check 3 "model.gguf is no checkpoint" "it is a GGUF model" -- eval model.gguf
check 3 "folder is no checkpoint" "COMMIT: cannot be opened" -- eval folder
check 3 "hub is no checkpoint" "reformer import hub/model.safetensors" -- eval hub
check 2 "run: is a folder; its configuration is run/config.yaml" -- plan run
check 2 "$newest: is a folder; it is a checkpoint, which train takes as --resume $newest" -- train $newest
check 2 "$work: is a folder; give the path of a configuration" -- train "$work"
# One checkpoint under the name of another is nobody's newest, neither to go on from nor to count by, and is left alone.
cp -r run named && cp -r run/checkpoints/step-00000001 named/checkpoints/step-00000009
"$PROGRAM" train good.yaml --run named -s checkpoint.every=1 -s training.steps=12 -s checkpoint.keep=1 >named.log 2>&1
for text in "checkpoint named/checkpoints/step-00000009 cannot be used and is passed over: named/checkpoints/step-00000009 holds the state after step 1, not 9" \
  "the state after step 2 is loaded" "counts for none, and stays"; do
  checks=$((checks + 1))
  grep -qF "$text" named.log || { failures=$((failures + 1)); echo "FAILED: no '$text' in:"; cat named.log; }
done
check 0 "the state after step 12 is loaded" -- train good.yaml --run named -s training.steps=13
rm -r named/checkpoints && mkdir named/checkpoints && cp -r run/checkpoints/step-00000001 named/checkpoints/step-00000009
check 3 "named is no checkpoint" "a run that has no checkpoint" -- eval named
cp -r $newest named/checkpoints/
check 3 "whose newest checkpoint is named/checkpoints/step-00000002" -- eval named
copy=named/checkpoints/step-00000009/
check 3 "--resume: $copy holds the state after step 1, not 9" "rename it to step-00000001" -- train good.yaml --run named --resume $copy
check 0 "warning: --resume $copy: the name is that of step 9, but it holds the state after step 1" \
  "the state after step 1 is loaded" -- train good.yaml --run another --resume $copy
mv $newest run/checkpoints/step-9x # another name is no checkpoint's, and an unfinished one is not the newest
mkdir run/checkpoints/step-00000003
check 3 "whose newest checkpoint is run/checkpoints/step-00000001" -- eval run
rm -r run/checkpoints/*
check 3 "it is the folder of a run that has no checkpoint" -- eval run
check 0 -- train good.yaml --run run
check 2 "run folder $newest: is a checkpoint" "--resume $newest" -- train good.yaml --run $newest

# --- splits that hold no sequence ---
check 0 "warning: text.txt: validation: 5445 tokens (data.split: 0.05 of 108894), and one sequence needs 8000" \
  "no checkpoint is the best" "raise the second part of data.split" "warning: text.txt: test: 4356 tokens" \
  "leave 1089 of its 108894 tokens unused" \
  "text.txt: 11 sequences of 8000 tokens (data.length) are for training, and a step takes 12 (training.batch)" \
  -- train good.yaml --run short -s data.length=8000 -s 'data.split=[0.9, 0.05, 0.04]' -s training.batch=12
check 3 "warning: validation: 5445 tokens" "warning: test: 4356 tokens" \
  "validation and test: no sequence of 8000 tokens (data.length)" "name a file with --data" \
  -- eval short/checkpoints/step-00000002
check 3 "validation: no sequence of 8000 tokens" -- eval short/checkpoints/step-00000002 --logits never
check 0 "warning: text.gz: is a gzip archive" "text.gz: loss" -- eval short/checkpoints/step-00000002 --data text.gz
check 0 "text.txt: loss" -- eval short/checkpoints/step-00000002 --data text.txt
check 3 "good.yaml: no sequence of 8000 tokens" "a longer file" -- eval short/checkpoints/step-00000002 --data good.yaml
check 0 "validation: loss" "warning: test: 5445 tokens" \
  -- eval short/checkpoints/step-00000002 -s 'data.split=[0.85, 0.1, 0.05]'
quiet warning -- train good.yaml --run whole -s 'data.split=[1, 0, 0]' -s training.eval_every=100 # as was wished
check 3 "validation and test: no sequence of 64 tokens" -- eval whole/checkpoints/step-00000002
quiet test -- eval short/checkpoints/step-00000002 -s data.length=64 -s 'data.split=[0.9, 0.1, 0]'
check 0 "training.eval_every: has no effect here; it needs a validation share" \
  -- train good.yaml --run off -s 'data.split=[1, 0, 0]' -s training.eval_every=2
check 3 "text.txt: training: 98004 tokens (data.split: 0.9 of 108894), and one sequence needs 98005 (data.length)" \
  "lower data.length, raise the first part" -- train good.yaml --run never -s data.length=98005
for name in never other; do
  [ -e "$name" ] && echo "FAILED: $name was made" && failures=$((failures + 1))
done
finish
