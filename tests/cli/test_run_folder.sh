#!/usr/bin/env bash
# Whose folder a run of launch/run.sh gets, and what it is started with: with the real program, which mpirun starts only
# where a start or an end of it matters. PROGRAM SOURCE_DIR
set -u
program=$1 source_dir=$2
command -v mpirun >/dev/null && mpirun --version | grep -q 'Open MPI' || { echo "no Open MPI here: nothing to try"; exit 0; }
. "$source_dir/tests/cli/check.sh" || exit 1
mkdir "a folder" && cd "a folder" || exit 1
. "$source_dir/tests/cli/resume.sh"
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 REFORMER_PROGRAM=$program
unset SLURM_JOB_ID SLURM_RESTART_COUNT
write_tiny
sed -i 's/steps: 20/steps: 2/; s/eval_every: 7/eval_every: 0/; s/warmup: 3/warmup: 1/' tiny.yaml
PROGRAM=$source_dir/launch/run.sh
options=()
# not the nodes of a job
run() { timeout 60 "$PROGRAM" --hosts localhost --ranks 1 ${options[@]+"${options[@]}"} -- train "$@"; }
folders() { (shopt -s nullglob dotglob && cd runs 2>/dev/null && echo *); }

mkdir "$work/bin"
cat >"$work/bin/mpirun" <<'SH'
#!/bin/bash
[ "$1" != --version ] || { echo "mpirun (Open MPI) 4.1.4" && exit; }
while [ "$1" != "$REFORMER_PROGRAM" ]; do shift; done
exec "$@"
SH
printf '%s\n' '#!/bin/sh' '[ "$1" != 0.2 ] || set -- 0.02' 'exec /bin/sleep "$@"' >"$work/bin/sleep" # run.sh's looks at it
chmod +x "$work/bin/"*
real_path=$PATH
export PATH=$work/bin:$PATH

# --- started together, each has a folder of its own ---
together() { # together FOLDERS [VARIABLE=VALUE...]
  local i started=() wanted=$1 status=''
  shift
  for i in 1 2 3 4; do
    env "$@" timeout 60 "$PROGRAM" --hosts localhost --ranks 1 -- train --set "training.seed=$i" tiny.yaml >"log$i" 2>&1 &
    started+=($!)
  done
  for i in "${started[@]}"; do wait "$i" && status+='0 ' || status+="$? "; done
  expect "statuses of four started together" "0 0 0 0 " "$status"
  expect "their folders" "$wanted" "$(folders)"
  expect "their seeds" "1 2 3 4" "$(cat runs/*/config.yaml | sed -n 's/^  seed: //p' | sort | tr '\n' ' ' | sed 's/ $//')"
  expect "those that found a run" "" "$(cat log[1-4] | grep 'are done')"
}
together "tiny-1 tiny-2 tiny-3 tiny-4"
rm -rf runs
# As in one allocation; requeued, each goes on with its own.
together "tiny-77 tiny-77-2 tiny-77-3 tiny-77-4" SLURM_JOB_ID=77
SLURM_JOB_ID=77 SLURM_RESTART_COUNT=1 run --set training.seed=3 tiny.yaml >again 2>&1
expect "folders after a requeue" "tiny-77 tiny-77-2 tiny-77-3 tiny-77-4" "$(folders)"
expect "the requeued job found its own" 3 "$(sed -n 's/^  seed: //p' "$(sed -n 's/^run folder \(.*\): the 2 steps of.*/\1/p' again)/config.yaml")"
rm -rf runs

# --- words as the program reads them ---
named() { # named FOLDER ARGUMENT...: the run goes there, and nowhere else
  local folder=$1
  shift
  rm -rf runs x
  run "$@" >log 2>&1
  expect "status of $*" 0 $?
  [ -f "$folder/config.yaml" ] || { fail "$*: no run in $folder" && cat log; }
  expect "runs after $*" "$(case $folder in runs/*) echo "${folder#runs/}" ;; esac)" "$(folders)"
}
named runs/tiny-1 -s training.seed=2 -v tiny.yaml
expect "what a step may take" "  step_timeout: auto" "$(grep '^  step_timeout:' runs/tiny-1/config.yaml)"
named runs/tiny-1 --set training.seed=2 -- tiny.yaml
named x -vr x tiny.yaml
named x --ru x tiny.yaml
named x tiny.yaml --set=training.seed=3 -rx
expect "a seed by --set=" "  seed: 3" "$(grep '^  seed:' x/config.yaml)"
named x --resume never --run x/ tiny.yaml
cp tiny.yaml .yaml && named runs/.yaml-1 .yaml
mkdir lr=1 && named lr=1/x --run lr=1/x tiny.yaml

# --- what is read once is kept ---
named runs/stdin-1 /dev/stdin <tiny.yaml
expect "the copy" "$(cat tiny.yaml)" "$(cat runs/stdin-1/given.yaml)"
named x --run x <(cat tiny.yaml)
mkfifo pipe.yaml && { cat tiny.yaml >pipe.yaml & } && named runs/pipe-1 pipe.yaml
cat tiny.yaml | run --set training.steps=3 /dev/stdin --run runs/pipe-1 >log 2>&1
expect "status of going on with a copy" 0 $?
expect "steps of a run that went on with a copy" 3 "$(wc -l <runs/pipe-1/metrics.jsonl)"
expect "copies of one text" 1 "$(ls -d runs/pipe-1/given* | wc -l)"

# --- what cannot begin leaves nothing, and says why ---
nothing() { # nothing STATUS TEXT -- ARGUMENT...
  rm -rf runs
  check "$1" "$2" -- --ranks 1 -- train "${@:4}"
  expect "runs after ${*:4}" "" "$(folders)"
}
nothing 2 "cannot be opened" -- missing.yaml
nothing 2 "unknown option --sat" -- tiny.yaml --sat a=b
nothing 2 "CONFIG is missing" -- --set training.seed=2
nothing 2 "nothing more belongs" -- tiny.yaml tiny.yaml
nothing 2 "--resume" -- tiny.yaml --resume ''
nothing 2 "--run" -- tiny.yaml --run ''
nothing 2 "--run: found a second argument, x" -- tiny.yaml --run=y --ru x
nothing 2 "--resume: found a second argument" -- tiny.yaml --resume auto -R never
nothing 0 "Usage: reformer train" -- tiny.yaml --help
nothing 2 "given.yaml: found nothing" -- /dev/stdin
rm -rf runs
printf '%s\n' '#!/bin/sh' ': >runs/stdin-1/given-mine.yaml' 'exit 2' >spoiler && chmod +x spoiler
REFORMER_PROGRAM=$PWD/spoiler run /dev/stdin <tiny.yaml >log 2>&1
expect "what is left of somebody's" given-mine.yaml "$(cd runs/stdin-1 && echo *)"
rm -rf runs && : >runs
check 2 "runs cannot be made here" -- --ranks 1 -- train tiny.yaml
rm runs

# The options that run.sh knows are the program's.
expect "options of train" "h:help R:resume: r:run: s:set: v:verbose" \
  "$("$program" train --help | sed -n 's/^  -\(.\), --\([a-z]*\) [^ ].*/\1:\2:/p; s/^  -\(.\), --\([a-z]*\)  .*/\1:\2/p' | sort -f | tr '\n' ' ' | sed 's/ $//')"

# --- what a step may take: the configuration's word, then the user's (what the program makes of it is test_settings.c) ---
limit() { # limit WANTED ARGUMENT...
  local options=(--hang 600)
  named x --run x limit.yaml "${@:2}"
  expect "limit with ${*:2}" "$1" "$(awk '$1 == "step_timeout:" { print $2 + 0 }' x/config.yaml)"
}
cp tiny.yaml limit.yaml
limit 600
limit 0 -s training.step_timeout=0
sed -i 's/^training: {/&step_timeout: 3000, /' limit.yaml
limit 3000

# --- with mpirun: names that are hard to pass on, a reader that goes away, and a run.sh that is killed ---
PATH=$real_path
cp tiny.yaml -- '-o d&d $x.yaml' && named 'runs/-o d&d $x-1' -- '-o d&d $x.yaml'
cp tiny.yaml $'new\nline.yaml' && named $'runs/new\nline-1' $'new\nline.yaml'
long="--set training.steps=1000000 --set checkpoint.every=0 --set training.max_minutes=0.03"
(run tiny.yaml $long --run x1 2>&1; echo $? >status) | head -n 2 >/dev/null
wait_for 75 status
expect "checkpoints of a run whose reader went away" 1 "$(ls x1/checkpoints | wc -l)"
run tiny.yaml --run closed >&- 2>&-
expect "status with output and errors closed" 0 $?
if setpriv --pdeathsig USR1 true 2>/dev/null; then
  "$PROGRAM" --ranks 1 -- train tiny.yaml ${long% --set*} --run x2 >log 2>&1 &
  wait_for '^step' x2/log.txt
  kill -KILL $! && wait $! 2>/dev/null
  wait_for 'stopped by SIGUSR1' x2/log.txt
fi
finish
