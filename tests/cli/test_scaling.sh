#!/usr/bin/env bash
# launch/scaling.sh: points, table and plots, with the plan beside what was measured. PROGRAM SOURCE_DIR
set -u
program=$1 source_dir=$2
command -v mpirun >/dev/null && command -v python3 >/dev/null || { echo "no mpirun or python3 here: nothing to try"; exit 0; }
. "$source_dir/tests/support/work.sh" || exit 1
cd "$work" || exit 1
checks=0 failures=0
export OMP_NUM_THREADS=1

wants() { # wants WHAT COMMAND...: success
  local what=$1
  shift
  checks=$((checks + 1))
  "$@" >log 2>&1 && return
  failures=$((failures + 1))
  echo "FAILED: $what" && cat log
}
refuses() { # refuses TEXT ARGUMENT...: status 2 and that text
  local text=$1
  shift
  checks=$((checks + 1))
  bash "$source_dir/launch/scaling.sh" "$@" >log 2>&1
  [ $? = 2 ] && grep -qF -- "$text" log && return
  failures=$((failures + 1))
  echo "FAILED: scaling.sh $* does not refuse with '$text'" && cat log
}

cat >tiny.yaml <<'YAML'
model: {vocab_size: 128, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16, positions: none}
lsh: {chunk: 16, n_hashes: 2}
local: {chunk: 16}
data: {kind: duplicate, length: 128}
training: {batch: 1}
YAML
sweep=(bash "$source_dir/launch/scaling.sh" tiny.yaml --program "$program" --steps 1)
wants "a weak sweep" "${sweep[@]}" --out weak --mode weak --lengths 64 --ranks "1 2" --kinds "lsh-2 full"
wants "its table has a line a point" test "$(wc -l <weak/table.csv)" = 5
for plot in time efficiency bytes memory; do wants "$plot.svg is XML" python3 -c 'import sys, xml.etree.ElementTree as e; e.parse(sys.argv[1])' weak/$plot.svg; done
# Bytes of parameters, gradients and rows, and memory, are what the plan says.
wants "the plan's bytes and memory are the measured ones" python3 - <<'PYTHON'
import json
for row in json.load(open("weak/table.json")):
    assert abs(row["planned_bytes"] - row["bytes"]) <= 0.03 * row["bytes"], row
    assert abs(row["planned_memory"] - row["memory"]) <= 0.1 * row["memory"], row
PYTHON
touch -d '2001-01-01' weak/points/*-1-1.json
wants "the sweep again" "${sweep[@]}" --out weak --mode weak --lengths 64 --ranks "1 2" --kinds "lsh-2 full"
wants "measures no point twice" test -z "$(find weak/points -name '*-1-1.json' -newermt 2002-01-01)"
refuses "--mode: found 'sideways'" tiny.yaml --out x --mode sideways
refuses "--out is missing" tiny.yaml
refuses "none.yaml: cannot be read" none.yaml --out x
refuses "--kinds: found 'lhs-2'; allowed: lsh-ROUNDS, local, full" tiny.yaml --out x --kinds "full lhs-2"
refuses "--kinds: found 'lsh-'" tiny.yaml --out x --kinds lsh-
refuses "which is read for each point" /dev/stdin --out x <tiny.yaml
# Points of one measurement do not come into the table of another.
again=(--program "$program" --out weak --mode weak --lengths 64)
refuses "measured with another configuration, settings or steps" tiny.yaml "${again[@]}" --steps 2
refuses "measured with another configuration, settings or steps" tiny.yaml "${again[@]}" --steps 1 -- lsh.chunk=8
exec 8>weak/lock && flock 8 # as another scaling.sh would
refuses "another scaling.sh writes into it" tiny.yaml "${again[@]}" --steps 1
exec 8>&-
mkdir -p folder/lock bin && printf '#!/bin/sh\necho "flock: 9: No locks available" >&2; exit 1\n' >bin/flock && chmod +x bin/flock
refuses "folder/lock: cannot be written" tiny.yaml --program "$program" --out folder
PATH=$work/bin:$PATH refuses "measured with another configuration, settings or steps" tiny.yaml "${again[@]}" --steps 2
cp log locks
wants "a warning where the file system has no locks" grep "warning: weak/lock cannot be locked" locks
sed 's/d_model: 16/d_model: 32/' tiny.yaml >wide.yaml
refuses "measured with another configuration, settings or steps" wide.yaml "${again[@]}" --steps 1
refuses "found 'many'" tiny.yaml --out x --ranks many
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
