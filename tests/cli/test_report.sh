#!/usr/bin/env bash
# Reports of runs: whole, torn, empty, missing. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
cd "$work" || exit 1
. "$source_dir/tests/cli/check.sh"

cat >tiny.yaml <<'YAML'
model: {vocab_size: 128, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16, positions: none}
lsh: {chunk: 16, n_hashes: 1}
data: {kind: duplicate, length: 64}
training: {steps: 4, batch: 2, eval_every: 2, eval_batches: 1}
output: {log_every: 1}
YAML
check 0 -- train tiny.yaml --run one
check 0 -- train tiny.yaml --run 'two & more' --set optimizer.lr=0.01

has() { # has FILE TEXT...: each of them
  local file=$1 text
  shift
  for text in "$@"; do
    checks=$((checks + 1))
    grep -qF -- "$text" "$file" || { failures=$((failures + 1)); echo "FAILED: no '$text' in $file"; }
  done
}
check 0 "report two.html" -- report one 'two & more' -o two.html
has two.html "two &amp; more" "<td>optimizer.lr</td>" "<polyline" "Loss of the training batch" "loss by position" "</html>"
checks=$((checks + 1))
if grep -qE '<script|https?:|<td>model\.' two.html || [ "$(grep -c '<polyline' two.html)" -lt 12 ]; then
  failures=$((failures + 1)) && echo "FAILED: two.html reaches outside, shows keys that do not differ, or lacks curves"
fi

# A run that was killed while it wrote its last line; one that only evaluated once; one without a configuration.
printf '{"step":5,"loss":4.1,"bits_per' >>one/metrics.jsonl
rm 'two & more/config.yaml'
check 0 "line 5 is torn and passed over" "config.yaml" -- report one 'two & more'
has report.html "</html>"
mkdir empty && : >empty/metrics.jsonl
check 3 "empty/metrics.jsonl: found no line" -- report empty
check 3 "nowhere/metrics.jsonl: cannot be opened" "give the folder of a run" -- report nowhere
printf '\nnothing\n' >>one/metrics.jsonl
check 3 "one/metrics.jsonl: line 5: found no object with a step" -- report one
check 2 "no/such.html: cannot be made: folder no/" -- report 'two & more' -o no/such.html
check 2 "RUN... is missing" -- report
finish
