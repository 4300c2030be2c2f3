#!/usr/bin/env bash
# Ranks that differ, or fail alone, before the first step: all end soon, with one message that names the host, or train
# as if nothing had been. Ranks of one host see different files by starting in different folders. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
command -v mpirun >/dev/null || { echo "no mpirun here: nothing to try"; exit 0; }
. "$source_dir/tests/cli/check.sh" || exit 1
. "$source_dir/tests/cli/many.sh"
export OMP_NUM_THREADS=1
most_seconds=60 # 2 are usual, one at a time
sanitized=$(ldd "$PROGRAM" | grep -c libasan)
host=$(uname -n)

mkdir here there
seq 1 4000 >here/text.txt
cp here/text.txt there
cat >here/tiny.yaml <<'YAML'
model: {vocab_size: 256, d_model: 16, n_layers: 2, n_heads: 2, d_ff: 32, attention: [local, lsh]}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: bytes, path: text.txt, length: 64}
training: {steps: 2, batch: 2, eval_every: 0, eval_batches: 1, memory_limit: auto}
output: {log_every: 1}
YAML

# Rank 0 starts here, rank 1 there: apart STATUS TEXT... -- ARGUMENT...
apart() {
  local before=()
  while [ "$1" != -- ]; do before+=("$1"); shift; done
  shift
  launch "${before[@]}" -- -n 1 --wdir "$work/here" "$PROGRAM" "$@" : -n 1 --wdir "$work/there" "$PROGRAM" "$@"
}
# Rank 0 has one command line, rank 1 another, as two words: differ STATUS TEXT... -- WORDS WORDS
differ() {
  local before=() second
  while [ "$1" != -- ]; do before+=("$1"); shift; done
  shift
  read -ra first <<<"$1"
  read -ra second <<<"$2"
  launch "${before[@]}" -- -n 1 --wdir "$work/here" "$PROGRAM" "${first[@]}" : -n 1 --wdir "$work/here" "$PROGRAM" ${second[@]+"${second[@]}"}
}
told="error: rank 1 on host $host: " # by the rank that fails alone

# --- the configuration is what rank 0 reads, whatever it is, and the others have it not ---
aside apart 0 "checkpoint $work/relative/checkpoints/step-00000002" -- train tiny.yaml --run "$work/relative"
mkfifo here/fifo.yaml
timeout "$most_seconds" sh -c "cat here/tiny.yaml >here/fifo.yaml" &
aside apart 0 "checkpoint $work/fifo/checkpoints/step-00000002" -- train fifo.yaml --run "$work/fifo"
input=here/tiny.yaml aside apart 0 "checkpoint $work/stdin/checkpoints/step-00000002" -- train /dev/stdin --run "$work/stdin"
aside apart 2 "error: rank 0 on host $host: none.yaml: cannot be opened" -- train none.yaml --run "$work/never"
: >here/empty.yaml
aside apart 2 "error: empty.yaml: found nothing" -- bench step empty.yaml
aside apart 2 "error: rank 0 on host $host: /dev/full: longer than 1 MiB" -- train /dev/full --run "$work/never"

# --- a script under mpirun, whose first commands need no ranks, on one of them or all ---
printf '%s\n' '#!/bin/sh' '"$1" --version >/dev/null || exit' '[ "$OMPI_COMM_WORLD_RANK" = 0 ] || "$1" help config >/dev/null || exit' 'exec "$@"' >job.sh
aside launch 0 "checkpoint $work/script/checkpoints/step-00000002" -- -n 2 --wdir here sh "$work/job.sh" "$PROGRAM" train tiny.yaml --run "$work/script"

# --- one command line, one program ---
sed 's/steps: 2/steps: 3/' here/tiny.yaml >here/other.yaml
train="train tiny.yaml --run $work/never"
aside differ 2 "$told" "differs from that of rank 0 on host $host in word 2: found other.yaml, there tiny.yaml" -- "$train" "train other.yaml --run $work/never"
aside differ 2 "$told" "in word 5: found nothing, there -s" -- "$train -s training.seed=3" "$train"
aside differ 2 "$told" "in word 6: found optimizer.lr=2, there optimizer.lr=1" -- "$train -s optimizer.lr=1" "$train -s optimizer.lr=2"
aside differ 2 "$told" "in word 1: found bench, there train" -- "$train" "bench step tiny.yaml"
aside differ 2 "$told" "in word 5: found --wrong, there nothing" -- "$train" "$train --wrong"
aside differ 2 "$told" "in word 2: found nothing" -- "$train" "train"
{ cat "$PROGRAM"; echo; } >another && chmod +x another
aside launch 2 "$told" "another program than rank 0 on host $host" -- -n 1 --wdir here "$PROGRAM" $train : -n 1 --wdir here "$work/another" $train
aside launch 2 "$told" "the launcher started 5 ranks" -- -n 1 --wdir here "$PROGRAM" $train : -n 1 --wdir here env OMPI_COMM_WORLD_SIZE=5 "$PROGRAM" $train
# as another processor would have: where these libraries can choose
chooses() { # chooses SETTING TEXT: a run with the environment's SETTING says TEXT of itself
  (cd here && env "$1" "$PROGRAM" train tiny.yaml --run "$work/${1%%=*}" 2>&1) | grep -q "^program .*$2"
}
mixed() { # mixed SETTING TEXT: a second rank with SETTING is warned of, and both are named
  aside launch 0 "warning: ranks are not alike, so last bits depend on which does what: rank 1 on host $host has " "$2" "; rank 0 on host $host has " \
    -- -n 1 --wdir here "$PROGRAM" train tiny.yaml --run "$work/mixed-${1%%=*}" : -n 1 --wdir here env "$1" "$PROGRAM" train tiny.yaml --run "$work/mixed-${1%%=*}"
}
if chooses OPENBLAS_CORETYPE=Prescott "OpenBLAS [0-9.]* Prescott"; then mixed OPENBLAS_CORETYPE=Prescott "Prescott"; fi
if chooses LIBXSMM_TARGET=wsm "libxsmm wsm$"; then mixed LIBXSMM_TARGET=wsm "libxsmm wsm"; fi
asides_end

# --- the same data ---
for what in longer other short missing folder pipe; do
  mkdir $what
  case $what in
    longer) { cat here/text.txt; echo more; } >$what/text.txt ;;
    other) sed 's/^2000$/2001/' here/text.txt >$what/text.txt ;;
    short) head -c 20 here/text.txt >$what/text.txt ;;
    folder) mkdir $what/text.txt ;;
    pipe) mkfifo $what/text.txt ;;
  esac
done
with() { # with FOLDER STATUS TEXT... -- ARGUMENT...: rank 1 starts in FOLDER
  local folder=$1 before=()
  shift
  while [ "$1" != -- ]; do before+=("$1"); shift; done
  shift
  launch "${before[@]}" -- -n 1 --wdir "$work/here" "$PROGRAM" "$@" : -n 1 --wdir "$work/$folder" "$PROGRAM" "$@"
}
aside with longer 3 "$told" "text.txt has 18898 bytes here, but 18893 at rank 0 on host $host" -- $train
aside with other 3 "$told" "text.txt has as many bytes (18893) as at rank 0 on host $host, but others" -- $train
aside with other 3 "$told" "but others" -- bench step tiny.yaml -n 1
aside with short 3 "$told" "text.txt: training: 18 tokens" -- $train
aside with missing 3 "$told" "text.txt: cannot be opened: No such file or directory (data.path)" -- $train
aside with folder 3 "$told" "text.txt: is a directory" -- $train
aside with pipe 3 "$told" "text.txt: is not a plain file" -- $train
cp "$source_dir/tests/golden/lsh_causal_r2.h5" here/rotations.h5
{ cat here/rotations.h5; echo; } >there/rotations.h5
rotations="-s lsh.rotations=rotations.h5 -s model.n_heads=3 -s model.d_head=16 -s lsh.n_buckets=16" # as in that file
aside apart 3 "$told" "lsh.rotations: rotations.h5 is not the file that rank 0 on host $host has" -- $train $rotations
aside with missing 3 "$told" "rotations.h5: cannot be opened" -- $train $rotations -s "data.path=$work/here/text.txt"

# --- the same folder ---
aside apart 2 "$told" "run folder run: is not the one that rank 0 has locked" -- train tiny.yaml --run run
for folder in here there; do # two runs, whose checkpoints bear the same name
  cd $folder
  check 0 -- train ../here/tiny.yaml --run apart
  cd ..
done
aside apart 3 "rank 1 on host $host: it is another checkpoint (attempt " "none of its 1 checkpoints can be used" -- train other.yaml --run apart
aside with missing 3 "--resume: rank 1 on host $host: " "apart/checkpoints/step-00000002/COMMIT: cannot be opened" \
  -- train tiny.yaml --run "$work/never" --resume apart/checkpoints/step-00000002

# --- no memory on one of them ---
if [ "$sanitized" = 0 ]; then
  printf '#!/bin/sh\nulimit -v "$KIBIBYTES"\nexec "$@"\n' >short_of_memory
  chmod +x short_of_memory
  found=none
  for KIBIBYTES in 300000 500000 700000 1000000 1500000; do # enough to start, and not for a run
    export KIBIBYTES
    (cd here && "$work/short_of_memory" "$PROGRAM" $train 2>&1 | grep -q "address space: Cannot allocate memory") || continue
    # Open MPI 5 hangs where the memory that its ranks share cannot be mapped.
    ! mpirun --version 2>/dev/null | grep -q 'Open MPI) 5' || KIBIBYTES=$((KIBIBYTES + 100000))
    aside launch 1 "$told" "Cannot allocate memory" -- -n 1 --wdir here "$PROGRAM" $train : -n 1 --wdir here "$work/short_of_memory" "$PROGRAM" $train
    found=$KIBIBYTES
    break
  done
  checks=$((checks + 1))
  [ $found != none ] || { failures=$((failures + 1)); echo "FAILED: no limit of memory is enough to start and not for a run"; }
fi
asides_end

checks=$((checks + 1))
for folder in never here/run; do
  [ ! -e $folder ] || { failures=$((failures + 1)); echo "FAILED: a run that could not start left $folder behind"; }
done
finish
