#!/usr/bin/env bash
# What is sampled is what the model says: ids of any vocabulary, fed back as they are; bytes as text that commands no
# terminal. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/resume.sh"
cat >tiny.yaml <<'YAML'
model: {vocab_size: 300, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 32}
lsh: {chunk: 16, n_hashes: 2}
data: {kind: tokens, path: ids, length: 64}
training: {steps: 1, batch: 2, eval_every: 0}
output: {sample_tokens: 40}
YAML
# ids 0 to 299 in turn, two bytes each
ids=
for ((i = 0; i < 300; i++)); do
  printf -v id '\\x%02x\\x%02x' $((i % 256)) $((i / 256))
  ids+=$id
done
for ((i = 0; i < 20; i++)); do printf '%b' "$ids"; done >ids
seq 1 3000 >text.txt

sample() { # sample SET...: the text
  rm -rf run
  "$PROGRAM" train tiny.yaml --run run "$@" >out 2>&1 || { fail "a run with $*"; cat out >&2; }
  sed '1,/^sampled from the model/d' out
}

ids=$(sample -s 'output.sample_prompt="299 5"')
expect "what the sample begins with" "299 5" "$(cut -d' ' -f1,2 <<<"$ids")"
expect "ids" 42 "$(wc -w <<<"$ids")"
checks=$((checks + 1))
[ "$(tr ' ' '\n' <<<"$ids" | sed '1,2d' | awk '$1 > 255' | wc -l)" -gt 0 ] || fail "no id above 255 is drawn: $ids"
expect "no id outside the vocabulary" "" "$(tr ' ' '\n' <<<"$ids" | awk '$1 < 0 || $1 > 299 || $1 != int($1)')"
expect "without a prompt the first id" 0 "$(sample | cut -d' ' -f1)"
# the likeliest ids, half of them at a time: the second half is drawn from what the first half was
greedy=(-s output.sample_temperature=1.0e-9 -s training.steps=60 -s optimizer.lr=0.02)
whole=$(sample "${greedy[@]}" -s output.sample_prompt=297 -s output.sample_tokens=6)
half=$(cut -d' ' -f1-4 <<<"$whole")
checks=$((checks + 1))
[ "$(tr ' ' '\n' <<<"$whole" | sed 1d | awk '$1 > 255' | wc -l)" -gt 0 ] || fail "no id above 255 among $whole"
expect "a sample that goes on" "$whole" "$(sample "${greedy[@]}" -s "output.sample_prompt=$half" -s output.sample_tokens=3)"

for prompt in 300 -1 2.5 0x1 '"1 2 Text"' 99999999999999999999 '"1,2"'; do
  check 2 "tiny.yaml: output.sample_prompt: found '" "ids of tokens from 0 to 299" -- train tiny.yaml --run never -s "output.sample_prompt=$prompt"
done
check 0 -- train tiny.yaml --run unused -s output.sample_prompt=Text -s output.sample_tokens=0
[ ! -e never ] || fail "a run that could not start left a folder behind"

# --- bytes ---
bytes=(-s data.kind=bytes -s data.path=text.txt -s output.sample_tokens=300)
text=$(sample "${bytes[@]}" -s 'output.sample_prompt="\e[31m ü\x9b \x80"' -s model.vocab_size=256)
expect "what the text begins with" '\x1B[31m ü\xC2\x9B \xC2\x80' "$(head -c 28 <<<"$text")"
expect "letters that command a terminal" "" "$(LC_ALL=C grep -a $'[\x01-\x08\x0b-\x1f\x7f]' out run/log.txt)"
checks=$((checks + 1))
iconv -f UTF-8 -t UTF-8 run/log.txt >/dev/null || fail "log.txt is no text"
sample "${bytes[@]}" | grep -q '<2[5-9][0-9]>' || fail "an id that is no byte is not told"
finish
