# For scripts that start the program on several ranks. `launch STATUS TEXT... -- ARGUMENT...` starts mpirun with these
# arguments and wants that exit status, every TEXT in what is printed, and one message of an error (none with status 0 or
# 75), all of it within `most_seconds`. ARGUMENTs may be those of two ranks, `-n 1 [--wdir FOLDER] A : -n 1 [...] B`.
# `many RANKS STATUS TEXT... -- ARGUMENT...` starts so many ranks of the program.
# `aside COMMAND...` runs such a check beside the script, with up to three others, and `asides_end` waits for them: most of
# the time of a run that fails mpirun spends asleep.
most_seconds=60
# Ranks outnumber cores: Open MPI wants to be told. Other launchers take no such flags.
mpirun_flags=()
! mpirun --version 2>/dev/null | grep -Eq "Open MPI|OpenRTE|PRRTE" || mpirun_flags=(--oversubscribe --bind-to none)

# How two ranks are two commands: a script that every rank runs. mpirun's own way ends mpirun of Open MPI 5.0.7 by SIGSEGV.
each_rank() { # each_rank -n 1 [--wdir FOLDER] A : -n 1 [--wdir FOLDER] B: prints it
  local rank folder words
  for ((rank = 0; $# > 0; rank++)); do
    folder=. words=()
    shift 2
    [ "$1" != --wdir ] || { folder=$2 && shift 2; }
    while [ $# -gt 0 ] && [ "$1" != : ]; do words+=("$1") && shift; done
    [ $# = 0 ] || shift
    # shellcheck disable=SC2016 # the script's variables
    printf '[ "${OMPI_COMM_WORLD_RANK-$PMI_RANK}" != %d ] || { cd %q && exec %s; }\n' $rank "$folder" "${words[*]@Q}"
  done
}

launch() {
  local status=$1 wanted=() output found text missing= errors leaks=1
  shift
  while [ "$1" != -- ]; do wanted+=("$1"); shift; done
  shift
  if [[ " $* " = *" : -n 1 "* ]]; then
    local script
    script=$(mktemp "$work/each_rank.XXXXXX") && each_rank "$@" >"$script" || exit 1
    set -- -n 2 bash "$script"
  fi
  # After a failure on several ranks what was lent to messages is never freed, on purpose (reformer/agree.h).
  [ "$status" = 0 ] || [ "$status" = 75 ] || leaks=0
  output=$(ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=$leaks timeout "$most_seconds" mpirun ${mpirun_flags[@]+"${mpirun_flags[@]}"} "$@" 2>&1 <"${input:-/dev/null}")
  found=$?
  checks=$((checks + 1))
  for text in ${wanted[@]+"${wanted[@]}"}; do
    case "$output" in *"$text"*) ;; *) missing="$missing '$text'" ;; esac
  done
  errors=$(grep -c '^error: ' <<<"$output")
  [ "$found" = "$status" ] && [ -z "$missing" ] && [ "$errors" = "$((status != 0 && status != 75))" ] && return
  failures=$((failures + 1))
  printf 'FAILED: mpirun %s\n  status %s, wanted %s; %s errors\n  missing:%s\n%s\n' "$*" "$found" "$status" "$errors" \
    "${missing:- nothing}" "$output"
}

many() {
  local ranks=$1 before=()
  shift
  while [ "$1" != -- ]; do before+=("$1"); shift; done
  shift
  launch "${before[@]}" -- -n "$ranks" "$PROGRAM" "$@"
}

asides=0
aside() {
  asides=$((asides + 1))
  "$@" >"$work/aside.$asides" 2>&1 &
  while [ "$(jobs -rp | wc -l)" -ge 4 ]; do wait -n; done
}

asides_end() {
  local i
  wait
  for ((i = 1; i <= asides; i++)); do
    checks=$((checks + 1))
    failures=$((failures + $(grep -c '^FAILED: ' "$work/aside.$i")))
    cat "$work/aside.$i"
  done
  asides=0
}
