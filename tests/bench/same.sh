#!/usr/bin/env bash
# Whether two builds of the program compute the same, to the bit:
#   tests/bench/same.sh OLD NEW [RANKS...]         two programs; on 1, 2 and 3 ranks
# Both train a small model of every kind of attention in each configuration below. Prints a line for each: whether losses,
# norms of gradients, learning rates, evaluations and bytes sent of all steps are equal, and all numbers of the last
# checkpoint; but for bytes of "other", as ranks ask at every step whether a checkpoint is written. Exit status 0 only
# where all are.
[ -n "${BASH_VERSION-}" ] || exec bash "$0" "$@"
set -u
source_dir=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
. "$source_dir/tests/support/options.sh" || exit 1
script_options "" "$@"
[ $# -ge 2 ] || { echo "usage: tests/bench/same.sh OLD NEW [RANKS...]" >&2 && exit 2; }
old=$(realpath "$1") new=$(realpath "$2") || exit 2
shift 2
[ $# -gt 0 ] || set -- 1 2 3
. "$source_dir/tests/support/work.sh" || exit 1
cd "$work" || exit 1
export OMP_NUM_THREADS=1 OMPI_MCA_mpi_yield_when_idle=1

cat >same.yaml <<'Y'
model: {vocab_size: 128, d_model: 64, n_layers: 3, n_heads: 2, d_ff: 256, attention: [lsh, local, full], dropout: 0.1}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: duplicate, length: 128}
training: {steps: 12, batch: 4, accumulate: 2, eval_every: 6, eval_batches: 1, memory_limit: 200MiB}
optimizer: {kind: adam, warmup: 5, weight_decay: 0.01}
checkpoint: {every: 6, keep: 3}
output: {log_every: 1}
Y
sets=("" model.residual=ordinary optimizer.kind=adafactor model.activation=gelu lsh.n_hashes=4 training.memory_limit=0)
! "$new" --version | grep -q '(float)' || sets+=(model.precision=bf16)

compare() { # compare: what the folders old and new hold
  python3 - <<'P'
import glob, json
FIGURES = ("step", "loss", "grad_norm", "learning_rate", "eval_loss", "bytes")
NUMBERS = 65536  # byte of a shard where they begin; before them are HDF5's own tables

def figures(run):
    lines = [json.loads(line) for line in open(run + "/metrics.jsonl")]
    for line in lines:
        line["bytes"].pop("other", None)
    return [[line.get(f) for f in FIGURES] for line in lines]

def numbers(run):
    return [open(path, "rb").read()[NUMBERS:] for path in sorted(glob.glob(run + "/checkpoints/step-00000012/shard-*"))]

a, b = numbers("old"), numbers("new")
same = figures("old") == figures("new") and len(a) > 0 and a == b
print("equal" if same else "DIFFERENT", f"({len(figures('new'))} steps, {sum(map(len, b))} bytes)")
P
}

train() { # train NAME PROGRAM: into the folder NAME; what went wrong is in said
  mpirun --oversubscribe --bind-to none -n "$ranks" "$2" train same.yaml --run "$1" --set "mesh.sequence=$ranks" \
    ${set:+--set "$set"} >"$1.log" 2>&1 </dev/null || said="the $1 one fails: $(grep '^error' "$1.log" | head -n 1)"
}

status=0
for set in "${sets[@]}"; do
  for ranks; do
    rm -rf old new
    said=
    train old "$old" && train new "$new"
    [ -n "$said" ] || said=$(compare)
    echo "$ranks ranks, ${set:-as it is}: $said"
    [[ $said == equal* ]] || status=1
  done
done
exit $status
