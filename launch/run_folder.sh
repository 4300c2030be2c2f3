# For run.sh: the folder of a training run, which must stay the same from start to start, and whose nobody else may be.
# shellcheck shell=bash disable=SC2034,SC2154 # variables of run.sh
#
#   run       the folder; empty: none is known, and nothing is started again
#   made      1: this script made it
#   kept      the copy of a stream in it; '': none
#   config    the configuration's file
#   options   of train, but --run and --resume
run='' made=0 kept='' config='' resume='' options=()

# read_train WORD...: what follows `train`, read as the program does: getopt(1) is getopt_long, which knows shortened names.
# Status 1: what the program will refuse, or --help, for which there is no run.
read_train() {
  local words run_given=0 resume_given=0
  command -v getopt >/dev/null || die 2 "getopt is not on PATH; it comes with util-linux"
  words=$(getopt -s bash -o s:r:R:vh -l set:,run:,resume:,verbose,help -- "$@" 2>/dev/null) || return 1
  eval "set -- $words"
  while [ "$1" != -- ]; do
    case $1 in
    -s | --set) options+=(--set "$2") && shift ;;
    -r | --run) ((run_given++ == 0)) || return 1; run=$2 && shift ;;
    -R | --resume) ((resume_given++ == 0)) || return 1; resume=$2 && shift ;;
    -v | --verbose) options+=(--verbose) ;;
    *) return 1 ;;
    esac
    shift
  done
  [[ $# = 2 && -n $2 ]] || return 1
  [[ $run_given = 0 || -n $run ]] && [[ $resume_given = 0 || -n $resume ]] || return 1
  config=$2
  [[ $config != -* ]] || config=./$config
  [[ $run != -* ]] || run=./$run
}

# Whose a folder is, the system decides: mkdir makes it once. Status 1: it is there.
claim() {
  local said
  said=$(mkdir -- "$1" 2>&1) && return
  [ -e "$1" ] || [ -L "$1" ] || die 2 "$said; name another folder with --run DIR"
  return 1
}

# Sets run: runs/CONFIG-N, a new one. In a Slurm job N is the job's number, so that the job goes on in the same folder
# when it was requeued; a second run of a job gets a further number, and is told by its command.
choose_folder() {
  local name=${config##*/} n mine
  [[ $config != /dev/* && $config != /proc/* ]] || name=stdin
  [ -z "${name%.*}" ] || name=${name%.*}
  name=runs/$name-${SLURM_JOB_ID-}
  mine=$(printf '%q ' "$@")
  [ $dry_run = 1 ] || mkdir -p runs || die 2 "the folder runs cannot be made here; name another with --run DIR"
  for ((n = 1; ; n++)); do
    run=$name
    [[ -n ${SLURM_JOB_ID-} && $n = 1 ]] || run=${name%-}-$n
    [ $dry_run = 0 ] || { [ -e "$run" ] && continue || return; }
    claim "$run" && break
    [[ ${SLURM_RESTART_COUNT:-0} != 0 && $(cat "$run/command" 2>/dev/null) = "$mine" ]] && return
  done
  made=1
  [ -z "${SLURM_JOB_ID-}" ] || printf '%s\n' "$mine" >"$run/command"
}

# A stream (standard input, a FIFO, <(...)) is read once, and here; every start reads the copy.
keep_config() {
  local n=1 copy=$run/given.yaml
  ! stays "$config" && [ -e "$config" ] && [ ! -d "$config" ] || return 0
  head -c 1048577 <"$config" >"$scratch/given" || die 2 "$config: cannot be read"
  [ -d "$run" ] || { mkdir -p -- "$run" && made=1; } || die 2 "$run: cannot be made; name another folder with --run DIR"
  until (set -o noclobber && cat "$scratch/given" >"$copy") 2>/dev/null || cmp -s "$scratch/given" "$copy"; do
    [ -e "$copy" ] || die 2 "$copy: cannot be written; name another folder with --run DIR"
    copy=$run/given-$((++n)).yaml
  done
  config=$copy kept=$copy
}

# A run that could not begin leaves no folder behind.
leave_folder() {
  [ $made = 1 ] && [ ! -e "$run/config.yaml" ] && [ ! -e "$run/log.txt" ] || return 0
  rm -f -- "$run/command" ${kept:+"$kept"}
  rmdir -- "$run" 2>/dev/null
}

# The words that start it: `arguments`.
write_arguments() {
  arguments=(train "$config" ${options[@]+"${options[@]}"} --run "$run" --resume "${resume:-auto}")
  # What hangs shall end, and what is slow shall not: the configuration knows best, then the user, then the program.
  arguments+=(--set "training.step_timeout?=${hang:-auto}")
}
