#!/usr/bin/env bash
# Planning a run without its ranks: memory, bytes, time, and what is wrong with what is given. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1

cat >tiny.yaml <<'YAML'
model: {vocab_size: 128, d_model: 32, n_layers: 2, n_heads: 2, d_ff: 64, attention: [local, lsh], positions: none}
lsh: {chunk: 32, n_hashes: 2}
local: {chunk: 32}
data: {kind: duplicate, length: 256}
training: {steps: 3, batch: 4}
YAML

# --- without constants: memory and bytes, for any number of ranks ---
check 0 "plan of 1 ranks" "in all" "time: not known" -- plan tiny.yaml
check 0 "plan of 64 ranks (16 share a sequence, 4 groups)" "remote owners" -- plan tiny.yaml --ranks 64 --set mesh.sequence=16
check 0 "it does NOT fit" "no sequence fits" -- plan tiny.yaml --memory 1
check 0 "it fits" "the longest sequence that fits on 1 x 1 ranks has" -- plan tiny.yaml --memory 500
kept="kept of 2 layers: attention outputs of 2, second streams of 2, queries and values of 2, first streams of 2, hidden activations of 2"
check 0 "$kept" -- plan tiny.yaml --set training.memory_limit=1GiB
check 0 "$kept" -- plan tiny.yaml --set training.memory_limit=auto --memory 500
check 0 "warning: training.memory_limit: auto is what a rank has free" -- plan tiny.yaml --set training.memory_limit=auto
# As much as there is room for, and no more.
check 0 "kept of 2 layers" "it fits" -- plan tiny.yaml --set data.length=65536 --set training.memory_limit=auto --memory 1600

# --- with constants: time, limit, meshes ---
check 0 "1 hosts" "disk" -- bench cluster tiny.yaml -o cluster.json
check 0 "what limits it" "4 x 1" "fastest" -- plan tiny.yaml --ranks 4 --set mesh.sequence=4 --cluster cluster.json --json plan.json
check 0 "warning: cluster.json: was measured with model.precision full, and the run's is bf16" -- \
  plan tiny.yaml --cluster cluster.json --set model.precision=bf16
sed 's/"full"/"half"/' cluster.json >half.json
check 2 'half.json: precision: found no precision; allowed: "full", "bf16"' -- plan tiny.yaml --cluster half.json
for key in step_seconds phase_seconds rows_per_token memory bytes growth efficiency; do
  checks=$((checks + 1))
  grep -q "\"$key\"" plan.json || { failures=$((failures + 1)); echo "FAILED: no $key in plan.json"; }
done
# A slower link makes a slower step.
sed 's/\("within_host_bytes_per_second": \).*,/\1100000.0,/' cluster.json >slow.json
"$PROGRAM" plan tiny.yaml --ranks 4 --set mesh.sequence=4 --cluster slow.json --json slow-plan.json >/dev/null
checks=$((checks + 1))
seconds() { sed -n 's/^  "step_seconds": \([^,]*\),*$/\1/p' "$1"; }
awk -v a="$(seconds plan.json)" -v b="$(seconds slow-plan.json)" 'BEGIN { exit !(b > 2 * a && a > 0) }' ||
  { failures=$((failures + 1)); echo "FAILED: a slow link does not show: $(seconds plan.json), $(seconds slow-plan.json)"; }

# So do messages that cost the processors much, and it is told; files without such numbers count them as nothing.
for kind in none dear; do
  [ $kind = none ] && edit='/_processor_seconds_/d' || edit='s/\("within_host_processor_seconds_per_message": \).*,/\110.0,/'
  sed "$edit" cluster.json >$kind.json
  "$PROGRAM" plan tiny.yaml --ranks 4 --set mesh.sequence=4 --cluster $kind.json --json $kind-plan.json >$kind.txt
done
checks=$((checks + 1))
awk -v a="$(seconds none-plan.json)" -v b="$(seconds dear-plan.json)" 'BEGIN { exit !(b > 2 * a && a > 0) }' &&
  grep -q 'processors move messages: .* %; only a network with an engine of its own' dear.txt && ! grep -q 'processors move' none.txt ||
  { failures=$((failures + 1)); echo "FAILED: messages' cost does not show: $(seconds none-plan.json), $(seconds dear-plan.json)"; }

# --- what is wrong ---
check 2 "mesh.sequence: found 3, which does not divide the 4 ranks" -- plan tiny.yaml --ranks 4 --set mesh.sequence=3
check 2 "training.batch: found 4" "a multiple of 8" -- plan tiny.yaml --ranks 8
check 2 "missing.json" "reformer bench cluster" -- plan tiny.yaml --cluster missing.json
mkfifo pipe.json
PROGRAM=timeout check 2 "pipe.json: is not a plain file" "reformer bench cluster" -- -s KILL 20 "$PROGRAM" plan tiny.yaml --cluster pipe.json
echo '{"ranks": 1}' >short.json
check 2 "short.json: threads: found no whole number" -- plan tiny.yaml --cluster short.json
check 2 "--ranks: found '0'" -- plan tiny.yaml --ranks 0

# --- so many ranks that only a sample of them can be looked at ---
PROGRAM_WAS=$PROGRAM PROGRAM=timeout
check 0 "plan of 1048576 ranks (1048576 share a sequence" -- 60 "$PROGRAM_WAS" plan tiny.yaml --ranks 1048576 --set mesh.sequence=1048576 \
  --set mesh.data=1 --set data.length=67108864 --set training.batch=65536
PROGRAM=$PROGRAM_WAS

# --- train makes the same check before any work ---
check 2 "data.length: found 67108864" "the longest that fits on these ranks has" -- \
  train tiny.yaml --run never --set data.length=67108864 --set training.batch=1024
# Enough for the run, but not for all that it might keep: some 3 KB a token, and 60 KB.
room=$("$PROGRAM" train tiny.yaml --run never --set data.length=67108864 --set training.batch=1024 2>&1 </dev/null |
  sed -n 's/.* of a rank that has \([0-9]*\) MiB.*/\1/p')
length=$((room * 1048576 / 40000 * 2)) # even, as the task wants it
check 2 "training.memory_limit: found 1048576 MiB, but a rank has" "or auto" -- train tiny.yaml --run never \
  --set data.length=$length --set training.batch=1 --set model.n_layers=64 --set training.memory_limit=1TiB
checks=$((checks + 1))
[ ! -e never ] || { failures=$((failures + 1)); echo "FAILED: a run that does not fit left a folder behind"; }
finish
