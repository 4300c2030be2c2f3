#!/usr/bin/env bash
# Reports of runs: whole, torn, empty, missing. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1

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
mkfifo 'two & more/config.yaml'
PROGRAM=timeout check 0 "config.yaml: is not a plain file; the report goes without it" -- -s KILL 20 "$PROGRAM" report 'two & more'
mkdir odd && head -n 1 one/metrics.jsonl >odd/metrics.jsonl
for line in '"step":-271828' '"step":2.71828' '"step":1e300' '"step":2,"loss":"x"' '"step":3,"bytes":7' '"step":4,"bytes":{"a":"b"}' \
  '"step":5,"eval_loss_by_position":[1]' '"step":6,"loss":null'; do
  echo "{$line}" >>odd/metrics.jsonl
done
check 0 "odd/metrics.jsonl: 7 lines are passed over, the first of them line 2: a step is a whole number from 0" -- report odd -o odd.html
checks=$((checks + 1))
if grep -qE -e '-271828|2\.71828' odd.html; then failures=$((failures + 1)) && echo "FAILED: odd.html shows a line that is none"; fi
mkdir only && printf '{"step":-1}\n' >only/metrics.jsonl
check 3 "1 lines are passed over" "only/metrics.jsonl: found no line" -- report only
printf '\nnothing\n' >>one/metrics.jsonl
check 3 "one/metrics.jsonl: line 5: found no object with a step" -- report one
check 2 "no/such.html: cannot be made: folder no/" -- report 'two & more' -o no/such.html
check 2 "RUN... is missing" -- report
finish
