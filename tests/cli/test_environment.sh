#!/usr/bin/env bash
# The launch scripts in other people's shells: what a login, a module file or a habit has set changes nothing of what they
# do. PROGRAM SOURCE_DIR
set -u
program=$1 source_dir=$2
. "$source_dir/tests/cli/check.sh" || exit 1
mkdir -p "my folder/bin" elsewhere/scripts && cd "my folder" || exit 1
unset SLURM_JOB_ID OMP_NUM_THREADS
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
printf '%s\n' '#!/bin/sh' '[ "$1" != --version ] || exec echo "mpirun (Open MPI) 4.1.4"' 'echo "launched in $TMPDIR"' >bin/mpirun
printf '#!/bin/sh\n' >'a program'
chmod +x bin/mpirun 'a program'
PATH=$PWD/bin:$PATH
ln -s "$source_dir/launch/run.sh" link
ln -s "$source_dir/launch" scripts
printf '%s\n' 'set -o noclobber -o errexit -o noglob -o allexport' 'IFS=:' 'cd() { builtin cd "$@" && pwd; }' \
  'shopt -s failglob nullglob' >rc

run=$source_dir/launch/run.sh
arguments=(--program 'a program' --ranks 1 --threads 1 -- train c.yaml)
wanted=$(PATH=$PATH bash "$run" --dry-run "${arguments[@]}" 2>&1)
same() { # same WHAT COMMAND...: it prints what run.sh prints elsewhere
  local what=$1 output
  shift
  output=$("$@" --dry-run "${arguments[@]}" 2>&1 </dev/null | grep -v 'setlocale: LC_ALL: cannot') # this machine may lack it
  checks=$((checks + 1))
  [ "$output" = "$wanted" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s: found\n%s\nwanted\n%s\n' "$what" "$output" "$wanted"
}
checks=1
case $wanted in
"OMP_NUM_THREADS=1 mpirun --host localhost:1 -n 1 "*"/my\\ folder/a\\ program train c.yaml --run runs/c-1 --resume auto"*) ;;
*) failures=1 && echo "FAILED: found '$wanted'" ;;
esac

same "by sh" sh "$run"
same "by bash that is POSIX" bash --posix "$run"
same "by a link" ./link
same "by a link to the folder" scripts/run.sh
same "by a link and sh" sh link
same "with CDPATH" env CDPATH="$work/elsewhere:$work" scripts/run.sh
same "with POSIXLY_CORRECT" env POSIXLY_CORRECT=1 "$run"
same "with SHELLOPTS" env SHELLOPTS=noclobber:noglob:errexit:pipefail:allexport "$run"
same "with BASHOPTS" env BASHOPTS=failglob:nullglob:nocasematch "$run"
same "with BASH_ENV" env BASH_ENV="$PWD/rc" "$run"
same "with GREP_OPTIONS" env GREP_OPTIONS='--color=always -v' "$run"
same "with a decimal comma" env LC_ALL=de_DE.UTF-8 LC_NUMERIC=de_DE.UTF-8 "$run"
same "without HOME" env -u HOME "$run"
same "without a usable TMPDIR" env TMPDIR=/nonexistent "$run"
mkdir 'tmp folder' && same "with a space in TMPDIR" env TMPDIR="$PWD/tmp folder" "$run"
same "without USER, LOGNAME, TERM and SHELL" env -u USER -u LOGNAME -u TERM -u SHELL "$run"
same "without standard input" bash -c 'exec 0<&-; exec "$@"' bash "$run"
checks=$((checks + 1))
said=$(TMPDIR=/nonexistent "$run" "${arguments[@]}" --run tried 2>&1 </dev/null)
[[ $said = *"launched in /tmp"* ]] || { failures=$((failures + 1)) && echo "FAILED: without a usable TMPDIR: $said"; }
checks=$((checks + 1))
[ -z "$(ls -A 'tmp folder')" ] || { failures=$((failures + 1)) && echo "FAILED: left in TMPDIR: $(ls -A 'tmp folder')"; }

PROGRAM=$program
POSIXLY_CORRECT=1 check 2 "none.yaml: cannot be opened" -- train none.yaml --run x
PROGRAM=$run
check 2 "may not be executed" -- --program rc -- train c.yaml
check 2 "nowhere: no program there; build it (cmake --preset release" -- --program nowhere -- train c.yaml
mkdir -p there/share/reformer && cp -r "$source_dir/launch" there/share/reformer/
PROGRAM=there/share/reformer/launch/run.sh
check 2 "my folder/there/bin/reformer: no program there; install reformer to $PWD/there again, or name it with --program" \
  -- -- train c.yaml
PROGRAM=$run
check 0 "launch/run.sh [OPTION...] -- train CONFIG" "docs/cluster.md tells the rest." -- --help
checks=$((checks + 1))
[ "$("$run" --help | wc -l)" = "$(($(grep -n -m 1 '^[^#]' "$run" | cut -d: -f1) - 2))" ] || { failures=$((failures + 1)) && echo "FAILED: --help is not all of run.sh's head" && "$run" --help; }

# --- lists as editors of other systems write them: with a mark, carriage returns, tabs, no end of the last line ---
list() { bash -c '. "$0/launch/plain.sh" && lines "$1"' "$source_dir" "$1"; }
expected=$'a=1 b=[x,y]\nc=p#q\nd=2'
is() { # is WHAT FOUND WANTED
  checks=$((checks + 1))
  [ "$2" = "$3" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s: found\n%s\nwanted\n%s\n' "$1" "$2" "$3"
}
printf '\xef\xbb\xbf# sweep\r\na=1\tb=[x,y] \r\n\r\n   c=p#q # two\r\n \t\r\nd=2' >windows
printf '# sweep\ra=1 b=[x,y]\rc=p#q\rd=2\r' >old-mac
printf 'a=1 b=[x,y]\nc=p#q\nd=2\n' >plain
for name in windows old-mac plain; do is "lines of $name" "$(list $name)" "$expected"; done
is "lines of a FIFO" "$(list <(cat windows))" "$expected"
iconv -t UTF-16 plain >utf-16
is "lines of UTF-16" "$(list utf-16 2>&1; echo $?)" $'utf-16: zero bytes in it, as in UTF-16; save it as UTF-8\n1'

# A sweep of such a list, and its table. Slurm's variables make a task.
export SLURM_JOB_NAME=sweep SLURM_ARRAY_JOB_ID=5 SLURM_SUBMIT_DIR=$source_dir REFORMER_PROGRAM=$program
cat >tiny.yaml <<'YAML'
model: {vocab_size: 128, d_model: 16, n_layers: 1, n_heads: 2, d_ff: 16, positions: none}
lsh: {chunk: 16, n_hashes: 2}
data: {kind: duplicate, length: 64}
training: {steps: 2, batch: 1, eval_batches: 1}
YAML
printf '\xef\xbb\xbf# rates\r\noptimizer.lr=1e-3\t lsh.n_hashes=1\r\n\r\nlsh.n_hashes=3' >list
rm bin/mpirun
for task in 1 2 3; do
  SLURM_ARRAY_TASK_ID=$task bash "$source_dir/launch/sweep.sbatch" tiny.yaml list >log$task 2>&1
  is "status of task $task" $? "$((task < 3 ? 0 : 2))"
done
is "a line too many" "$(cat log3)" "list: no line 3; allowed: --array=1-2"
export SLURM_ARRAY_TASK_ID=1
for name in SLURM_ARRAY_TASK_ID SLURM_ARRAY_JOB_ID; do
  is "without $name" "$(env -u $name bash "$source_dir/launch/sweep.sbatch" tiny.yaml list 2>&1; echo $?)" \
    "sweep.sbatch: $name is not set, as it is in a job array: sbatch --array=1-N"$'\n2'
done
unset SLURM_ARRAY_TASK_ID
table=$("$source_dir/launch/gather.sh" runs/sweep-5)
is "table" "$(cut -d, -f1-5 <<<"$table")" $'run,optimizer.lr,lsh.n_hashes,state,step\n1,1e-3,1,done,2\n2,,3,done,2'
is "carriage returns" "$(cat runs/sweep-5/*/settings runs/sweep-5/*/config.yaml - <<<"$table" | tr -cd '\r' | wc -c)" 0
# Runs of before, whose settings were written as they came; a folder that awk would take for a setting.
printf 'optimizer.lr=1e-3\tlsh.n_hashes=1\r\n' >runs/sweep-5/1/settings
mv runs/sweep-5 lr=1
is "table of old settings" "$("$source_dir/launch/gather.sh" lr=1)" "$table"
finish
