#!/usr/bin/env bash
# What README.md says about the program is what the program says. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
readme=$source_dir/README.md
. "$source_dir/tests/support/work.sh" || exit 1
checks=0 failures=0

same() { # same WHAT EXPECTED FOUND: two files
  checks=$((checks + 1))
  [ -s "$2" ] && diff -u "$2" "$3" && return
  failures=$((failures + 1))
  echo "FAILED: $1"
}

between() { sed -n "/^<!-- $1: begin/,/^<!-- $1: end/p" "$readme" | sed '1d;$d'; }

"$PROGRAM" help config --markdown >"$work/table"
between configuration >"$work/in-readme"
same "README's configuration table is not the program's; put the output of 'reformer help config --markdown' between its markers" \
  "$work/table" "$work/in-readme"

# Every command of the program, and the exit statuses, as its help lists them.
"$PROGRAM" --help >"$work/help"
sed -n '/^Commands:/,/^$/s/^  \([a-z]*\) .*/reformer \1/p' "$work/help" | sort -u >"$work/commands"
grep -o '^| `reformer [a-z]*' "$readme" | cut -c 4- | sort -u >"$work/in-readme"
same "README's commands are not the program's" "$work/commands" "$work/in-readme"
sed -n '/^Exit status:/,$s/^ *\([0-9][0-9]*\) .*/\1/p' "$work/help" >"$work/statuses"
sed -n 's/^| \([0-9]\{1,3\}\) | .*/\1/p' "$readme" | sort -un >"$work/in-readme"
same "README's exit statuses are not the program's" "$work/statuses" "$work/in-readme"

# Every key that a run writes to metrics.jsonl.
cat >"$work/tiny.yaml" <<'YAML'
model: {vocab_size: 128, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16}
lsh: {chunk: 16, n_hashes: 1}
data: {kind: duplicate, length: 64}
training: {steps: 2, batch: 1, eval_batches: 1}
checkpoint: {every: 1, async: false}
output: {log_every: 1}
YAML
"$PROGRAM" train "$work/tiny.yaml" --run "$work/run" >"$work/log" 2>&1 || cat "$work/log"
sed 's/"bytes":{[^}]*}/"bytes":0/; s/"eval_loss_by_position":{[^}]*}/"eval_loss_by_position":0/' "$work/run/metrics.jsonl" |
  grep -o '"[a-z_]*":' | tr -d '":' | sort -u >"$work/keys"
between metrics | grep -o '^| `[a-z_]*`' | tr -d '|` ' | sort -u >"$work/in-readme"
same "README's keys of metrics.jsonl are not those that a run writes" "$work/keys" "$work/in-readme"

# Rows of speed are those of docs/performance.md, where they were measured.
between speed | grep "%" >"$work/in-readme"
grep -xFf "$work/in-readme" "$source_dir/docs/performance.md" >"$work/rows"
same "README's rows of speed are not docs/performance.md's" "$work/rows" "$work/in-readme"

# Files and folders that it names exist.
for path in $(grep -o '`\(src\|include\|launch\|tests\|configs\|docs\)/[A-Za-z0-9_./]*`' "$readme" | tr -d '\140' | sort -u); do
  checks=$((checks + 1))
  [ -e "$source_dir/$path" ] || { failures=$((failures + 1)); echo "FAILED: README names $path, which is not there"; }
done
echo "$checks checks, $failures failed"
[ "$failures" = 0 ]
