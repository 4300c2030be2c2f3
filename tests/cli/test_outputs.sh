#!/usr/bin/env bash
# What a command is told to write: whole or not there, where the path leads, and over nothing that was not meant.
# PROGRAM SOURCE_DIR
set -u
PROGRAM=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
export OMPI_MCA_ess_singleton_isolated=1 # limits are meant for the program, not for a launcher's daemon

fail() { failures=$((failures + 1)); echo "FAILED: $1"; }
ok() { checks=$((checks + 1)); "${@:2}" || fail "$1"; } # ok WHAT COMMAND...
leftovers() { checks=$((checks + 1)); local found; found=$(find . -name '*.tmp-*' -o -name '*.tmp' -o -name 'reformer-bench*'); [ -z "$found" ] || fail "left behind: $found"; }

cat >tiny.yaml <<'YAML'
model: {vocab_size: 256, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16, positions: {kind: axial, shape: [8, 8], dims: [8, 8]}}
lsh: {chunk: 16, n_hashes: 1, n_buckets: 4}
data: {kind: bytes, path: text.txt, length: 64}
training: {steps: 2, batch: 2, eval_every: 0}
output: {log_every: 1}
YAML
seq 1 3000 >text.txt
check 0 -- train tiny.yaml --run run
C=run/checkpoints/step-00000002
cp -a "$C" before

# A device of its own where that can be: a program that replaced it would leave the machine without its /dev/null.
device=$work/device
mknod "$device" c 1 3 2>/dev/null && : 2>/dev/null >"$device" || device=/dev/null

# Commands that write a file, up to its path.
declare -A commands=(
  [export]="export $C -o" [logits]="eval $C --logits" [report]="report run -o"
)

for name in "${!commands[@]}"; do
  command=${commands[$name]}
  mkdir "$name" "$name/elsewhere" && cd "$name" || exit 1
  ln -s ../run run && ln -s ../tiny.yaml tiny.yaml && ln -s ../text.txt text.txt
  # --- new, again, and over what is somebody else's ---
  check 0 -- $command new
  cp new copy
  echo mine >mine
  case $name in
    export | logits)
      check 2 "new: exists already" "--force" -- $command new
      rm -f config.json
      check 2 "mine: exists already" "--force" -- $command mine
      ok "$name: what is refused stays" cmp -s new copy
      force=--force ;;
    *)
      check 0 -- $command new
      check 2 "mine: exists already, and is not" -- $command mine
      : >empty
      check 0 -- $command empty
      force= ;;
  esac
  ok "$name: somebody's file is as it was" grep -qx mine mine
  # --- links are followed, also where they lead nowhere yet ---
  cp -p new elsewhere/target && chmod 640 elsewhere/target && ln -s elsewhere/target link && ln -s link chain
  ln elsewhere/target other-name
  was=$(stat -c %i elsewhere/target)
  check 0 -- $command chain $force
  ok "$name: links stay links" [ -L chain -a -L link -a -f elsewhere/target ]
  ok "$name: the file that a link leads to is a new one" [ "$was" != "$(stat -c %i elsewhere/target)" ]
  ok "$name: its permissions are the old one's" [ "$(stat -c %a elsewhere/target)" = 640 ]
  ok "$name: another name of it keeps the old one" [ "$was" = "$(stat -c %i other-name)" ]
  ln -s elsewhere/made dangling
  check 0 -- $command dangling $force
  ok "$name: a link that led nowhere leads to the file" [ -L dangling -a -s elsewhere/made ]
  ln -s loop loop
  check 2 "loop: Too many levels of symbolic links" -- $command loop $force
  ln -s /nowhere/x away
  check 2 "away: cannot be made: folder /nowhere/: No such file" -- $command away $force
  # --- what is no plain file ---
  mkfifo pipe
  timeout 20 cat pipe >read &
  reader=$!
  case $name in
    export | logits)
      check 2 "pipe: is a pipe" "plain file" -- $command pipe $force
      check 2 "$device: is a device" -- $command "$device" $force
      "$PROGRAM" $command /dev/stdout $force >out 2>err && fail "$name writes to standard output"
      ok "$name: standard output is refused" grep -q 'what standard output' err
      kill $reader ;;
    *)
      check 0 -- $command pipe
      wait $reader
      ok "$name: a pipe gets what a file gets" [ "$(head -c 25 read)" = "$(head -c 25 new)" ]
      check 0 -- $command "$device"
      [ ! -e /dev/full ] || check 1 "/dev/full: cannot be written: No space left on device" -- $command /dev/full
      "$PROGRAM" $command /dev/stdout >out 2>/dev/null || fail "$name does not write to standard output"
      ok "$name: standard output has it" grep -q "$(head -1 new)" out ;;
  esac
  ok "$name: a pipe is a pipe" [ -p pipe ]
  ok "$name: a device is a device" [ -c "$device" ]
  check 2 "elsewhere: is a folder" -- $command elsewhere $force
  check 2 "none/: names a folder" -- $command none/ $force
  check 2 "none/x: cannot be made: folder none/: No such file" -- $command none/x $force
  check 2 "new/x: Not a directory" -- $command new/x $force
  check 2 -- $command '' $force
  long=$(printf '%0250d' 1)
  check 0 -- $command "$long" $force
  check 2 "File name too long" -- $command "$long$long" $force
  check 2 "of 2000 bytes" -- $command "$(printf '%02000d' 1)" $force
  check 2 "run/checkpoints/step-00000002/x: lies in a checkpoint's folder" -- $command run/checkpoints/step-00000002/x $force
  check 2 "x: lies in a checkpoint's folder" -- $command ../before/../before/x $force
  # --- a limit of the process, and folders that may not be written to ---
  (trap '' PIPE; ulimit -f 1; "$PROGRAM" $command limited $force 2>&1 >/dev/null; echo $?) | cat >said
  ok "$name: a limit is status 1" grep -qx 1 said
  ok "$name: a limit is told" grep -qE '(limited|config.json): .*File too large: a file of this process may have 1024 bytes \(ulimit -f\)' said
  ok "$name: nothing of it is there" [ ! -e limited ]
  if [ "$(id -u)" = 0 ] && setpriv --reuid 65534 --regid 65534 --clear-groups true 2>/dev/null && setpriv --reuid 65534 --regid 65534 --clear-groups test -x "$PROGRAM"; then
    PROGRAM_WAS=$PROGRAM PROGRAM=setpriv
    chmod o+rx "$work" .
    check 2 "elsewhere/: Permission denied" -- --reuid 65534 --regid 65534 --clear-groups "$PROGRAM_WAS" $command elsewhere/no $force
    PROGRAM=$PROGRAM_WAS
  fi
  leftovers
  cd .. || exit 1
done

# --- figures are as reports are ---
check 0 -- bench cluster tiny.yaml -o constants.json
cp -p constants.json theirs && mkfifo pipe
for command in "bench step tiny.yaml --steps 1 --json" "plan tiny.yaml --json" "bench cluster tiny.yaml -o"; do
  check 0 -- $command theirs
  check 2 "text.txt: exists already, and is not a file of figures" -- $command text.txt
  timeout 60 cat pipe >read &
  check 0 -- $command pipe
  wait $!
  ok "$command: a pipe has it" grep -q '"program": "reformer"' read
  check 0 -- $command "$device"
  ok "$command: a device is a device" [ -c "$device" ]
done

# --- two files, and files that are read ---
cd export || exit 1
check 2 "config.json: is where the configuration goes" -- export ../$C -o config.json --force
echo mine >config.json && rm new
check 2 "config.json: exists already" "--force" -- export ../$C -o new
ok "no model was made" [ ! -e new ]
rm config.json && ln -s elsewhere/theirs config.json
check 0 "new (" -- export ../$C -o new
ok "the configuration is where its link leads" grep -q '"model_type": "reformer"' elsewhere/theirs
cd ..
check 2 "text.txt: is what data.path is read from" -- eval $C --logits text.txt --force
check 2 "text.txt: is what data.path is read from" -- eval $C --data ./text.txt --logits logits/text.txt --force
check 2 "constants.json: is what --cluster is read from" -- plan tiny.yaml --cluster constants.json --json constants.json
check 2 "metrics.jsonl: exists already" -- report run -o run/metrics.jsonl
check 2 "tiny.yaml: exists already" -- bench step tiny.yaml --json tiny.yaml
check 0 "export/new2" -- export $C -o export/new2 --force
check 2 "exists already" -- import export/new2 tiny.yaml -o export/new2
check 2 "cannot be made: Not a directory" -- import export/new2 tiny.yaml -o export/new2/
check 0 -- import export/new2 tiny.yaml -o imported
check 2 "exists already" -- import export/new2 tiny.yaml -o imported
check 0 "whole" -- verify "$C"
ok "the checkpoint is as it was" diff -r "$C" before

(ulimit -f 20; "$PROGRAM" import export/new2 tiny.yaml -o unmade 2>&1; echo "status $?") | cat >said
ok "an import under a limit says it" grep -q 'may have 20480 bytes (ulimit -f)' said
ok "and leaves nothing" [ -z "$(ls -d unmade* 2>/dev/null)" ]
check 2 "--folder: found an empty path" -- bench checkpoint tiny.yaml --folder ''
long=$(printf '%0200d/' 1 2 3 4)
check 2 "--run: found a path of 900 bytes" -- train tiny.yaml --run "$(printf '%0900d' 1)"
(mkdir -p "$long" && cd "$long" && mkdir x) && check 0 "checkpoint $long" -- train tiny.yaml --run "${long}x/$(printf '%058d' 1)"

# --- where the disk is timed, nothing of that name is touched ---
echo mine >constants.json.disk && echo mine >reformer-bench
check 0 -- bench cluster tiny.yaml -o constants.json
ok "files beside are as they were" [ "$(cat constants.json.disk reformer-bench)" = "$(printf 'mine\nmine')" ]
rm constants.json.disk reformer-bench

# --- training goes on under a limit: nothing is left of what does not fit, and files that end at it go on when it is gone ---
(ulimit -f 3; "$PROGRAM" train tiny.yaml --run limited -s training.steps=12 -s checkpoint.every=5 2>&1; echo "status $?") | cat >said
for text in "step-00000005 could not be saved: .*may have 3072 bytes (ulimit -f)" "step-00000010 could not be saved" "^step *12" \
  "metrics.jsonl cannot be written: File too large" "^error: the state after step 12, the last, could not be saved" "^status 1"; do
  ok "under a limit training does not say '$text'" grep -q "$text" said
done
ok "no checkpoint is there" [ -z "$(ls limited/checkpoints)" ]
check 0 "checkpoint limited/checkpoints/step-00000012" -- train tiny.yaml --run limited -s training.steps=12 -s checkpoint.every=5
ok "every step is there once" [ "$(grep -o '^{"step":[0-9]*' limited/metrics.jsonl | cut -d: -f2 | tr '\n' ' ')" = "$(seq -s ' ' 12) " ]
(ulimit -f 0; "$PROGRAM" train tiny.yaml --run none 2>&1; echo "status $?") | cat >said
# clang's OpenMP writes a file before main, and ends the process where it cannot.
ldd "$PROGRAM" 2>/dev/null | grep -q libomp || ok "a limit of nothing is told" grep -q 'none/lock: cannot be written: File too large: .* 0 bytes' said
ok "and leaves no lock" [ ! -e none/lock ]
leftovers

# --- a metrics.jsonl that is a link stays one, and goes on where it leads; one that is none is not waited for ---
mkdir disk && mv limited/metrics.jsonl disk/m && ln -s ../disk/m limited/metrics.jsonl
check 0 -- train tiny.yaml --run limited -s training.steps=13 --resume limited/checkpoints/step-00000010
ok "metrics.jsonl is a link" [ -L limited/metrics.jsonl ]
ok "it was cut and went on" [ "$(grep -o '^{"step":[0-9]*' disk/m | cut -d: -f2 | tail -4 | tr '\n' ' ')" = "10 11 12 13 " ]
rm limited/metrics.jsonl && ln -s "$device" limited/metrics.jsonl
check 0 -- train tiny.yaml --run limited -s training.steps=14
rm limited/metrics.jsonl && mkfifo limited/metrics.jsonl
PROGRAM_WAS=$PROGRAM PROGRAM=timeout
check 1 "metrics.jsonl cannot be cut back to the resumed step: it is not a plain file" -- -s KILL 20 "$PROGRAM_WAS" train tiny.yaml --run limited -s training.steps=15
for file in log.txt lock; do
  rm -rf piped && mkdir piped && mkfifo piped/$file
  check 2 "piped/$file" "is not a plain file" -- -s KILL 20 "$PROGRAM_WAS" train tiny.yaml --run piped
done
check 3 "limited/metrics.jsonl: is not a plain file" -- -s KILL 20 "$PROGRAM_WAS" report limited
PROGRAM=$PROGRAM_WAS

# --- a damaged line of metrics.jsonl is told, and the others stay ---
sed -i 's/^{"step":5,/{"st/' disk/m && rm limited/metrics.jsonl && ln -s ../disk/m limited/metrics.jsonl
check 0 "warning: limited/metrics.jsonl: line 5 is damaged, and is left out" -- train tiny.yaml --run limited -s training.steps=15
ok "the others stay" [ "$(grep -o '^{"step":[0-9]*' disk/m | cut -d: -f2 | tr '\n' ' ')" = "1 2 3 4 6 7 8 9 10 11 12 13 15 " ]

# --- files that are removed under a run that writes to them ---
"$PROGRAM" train tiny.yaml --run gone -s training.steps=1000000 -s checkpoint.every=100000 >said 2>&1 &
job=$!
written() { for ((i = 0; i < 300; i++)); do [ -s gone/metrics.jsonl ] && [ -s gone/log.txt ] && return; sleep 0.1; done; return 1; }
ok "a run writes" written
rm gone/metrics.jsonl gone/log.txt
ok "it goes on in new files" written
kill $job
wait $job
ok "and ends as any other" [ $? = 75 ]
for file in metrics.jsonl log.txt; do
  ok "it says once that $file has gone" [ "$(grep -c "^warning: .*$file was removed or replaced" said)" = 1 ]
done
ok "the log goes on" grep -q "^stopped by SIGTERM" gone/log.txt
ok "so do the steps" [ "$(tail -n 1 gone/metrics.jsonl | grep -o '"step":[0-9]*')" = "\"step\":$(sed -n 's/^stopped by SIGTERM after step \([0-9]*\) .*/\1/p' said)" ]
finish
