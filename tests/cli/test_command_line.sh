#!/usr/bin/env bash
# What the program says to a command line: help, version, and what is wrong with it. PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1

version=$(sed -n 's/^project(reformer VERSION \([0-9.]*\).*/\1/p' "$source_dir/CMakeLists.txt")
check 2 "Usage: reformer COMMAND" "error: a command is missing" --
check 0 "Usage: reformer COMMAND" "train CONFIG" "eval CHECKPOINT" "import MODEL.safetensors CONFIG" "bench WHAT CONFIG" "Exit status" -- --help
check 0 "Usage: reformer COMMAND" -- help
check 0 "reformer $version (" "compiled for " "processor: " "OpenBLAS " -- --version
check 0 "Usage: reformer train CONFIG" "--set KEY.PATH=VALUE" "--run DIR" "--verbose" "--help" -- train --help
check 0 "Usage: reformer eval CHECKPOINT" "--data PATH" "--hashes N" -- eval -h
check 0 "Usage: reformer bench WHAT CONFIG" "--steps N" "--json FILE" -- help bench
check 0 "model.d_model" "default: 256; allowed: a whole number from 1 to 1048576" "optimizer.lr" -- help config
check 0 '| `data.kind` | must be given | bytes, tokens, duplicate |' -- help config --markdown
check 2 "--markdown: found the topic train; allowed: reformer help config --markdown" -- help train --markdown
check 2 "--markdown: found no topic; allowed: reformer help config" -- help --markdown
check 2 "--markdown: found --man beside it" -- help config --markdown --man
check 2 "--completion: found 'train' beside it" -- help --completion train
check 2 "--completion: found '--man' beside it" -- help --completion --man
check 2 "no help on 'trian'" "the nearest is train" -- help trian
check 2 "unknown command 'trian'" "train" "reformer --help" -- trian configs/small.yaml
check 2 "found '--verbose' where a command belongs" "--version alone" -- --verbose --version
check 2 "--version: found 'anything' where nothing more belongs" -- --version anything
check 2 "--help: found 'train' where nothing more belongs" -- --help train
check 2 "-h: found '' where nothing more belongs" -- -h ''
check 2 "CONFIG is missing" "reformer train --help" -- train
check 2 "CONFIG is missing" -- bench step
check 2 "found 'attend'; allowed: step, attention, exchange, checkpoint, cluster" -- bench attend x.yaml
for what in $("$PROGRAM" bench attend x.yaml 2>&1 | sed 's/.*allowed: //; s/,//g'); do
  check 0 $'\n'"$what: " -- bench --help
done
check 2 "found 'b.yaml' where nothing more belongs" -- train a.yaml b.yaml
check 2 "unknown option --rnu" "--run" -- train --rnu x a.yaml
check 2 "--run: found a second argument, b, after a; allowed: one" -- train a.yaml --run a -r b
check 2 "--json: found a second argument" -- bench step a.yaml --json x --json x
check 2 "a.yaml: cannot be opened" -- train a.yaml -v --verbose -s a=1 -s a=2
check 2 "unknown option -q" -- train -q a.yaml
check 2 "unknown option -x" -- train -vx a.yaml
check 2 "--run: its argument is missing" -- train a.yaml --run
check 2 "--verbose: found an argument; allowed: none" -- train --verbose=2 a.yaml
check 2 "--steps: found 'few'; allowed: a whole number from 1 to" -- bench step a.yaml --steps few
check 2 "--steps: found '0'" -- bench step a.yaml -n 0
check 2 "a.yaml: cannot be opened: No such file or directory" -- train a.yaml
check 2 "$work: is a folder; give the path" -- train "$work"
check 2 "[rank 0] error:" "passed through: src/config/" -- train -v a.yaml

# Every configuration that the project ships is valid: the first thing missing is its data, or the run folder.
for config in "$source_dir"/configs/*.yaml; do
  check 2 "run folder /dev/null/x" -- train "$config" --run /dev/null/x --set data.kind=duplicate --set data.length=64
  sed 's/^\(.*path: \)data\/[a-z0-9.]*/\1nothing.here/' "$config" >"$work/shipped.yaml"
  grep -q 'kind: duplicate' "$config" || check 3 "nothing.here" -- train "$work/shipped.yaml" --run "$work/run"
done

ln -s nowhere/dir dangling
check 2 "run folder dangling: is a symbolic link to nowhere/dir, which is not there; make that folder" -- \
  train "$source_dir/configs/small.yaml" --run dangling --set data.kind=duplicate --set data.length=64

# Several ranks: one message, every rank ends with the same status, and no rank is killed by another's.
if command -v mpirun >/dev/null; then
  output=$(mpirun --oversubscribe --bind-to none -n 3 "$PROGRAM" eval nothing 2>&1)
  status=$?
  checks=$((checks + 1))
  if [ "$status" != 2 ] || [ "$(grep -c 'error: reformer eval: found 3 ranks; allowed: 1' <<<"$output")" != 1 ]; then
    failures=$((failures + 1))
    printf 'FAILED: three ranks, status %s\n%s\n' "$status" "$output"
  fi
  output=$(mpirun --oversubscribe --bind-to none -n 2 "$PROGRAM" --version 2>&1)
  checks=$((checks + 1))
  if [ "$(grep -v '^warning: OMP_NUM_THREADS' <<<"$output")" != "$("$PROGRAM" --version)" ]; then
    failures=$((failures + 1))
    printf 'FAILED: two ranks print\n%s\n' "$output"
  fi
fi
finish
