# For scripts that start the program on several ranks. `many RANKS STATUS TEXT... -- ARGUMENT...` wants that exit status
# of mpirun, every TEXT in what is printed, and one message of an error (none with status 0 or 75).
many() {
  local ranks=$1 status=$2 wanted=() output found text missing= errors leaks=1
  shift 2
  while [ "$1" != -- ]; do wanted+=("$1"); shift; done
  shift
  # After a failure on several ranks what was lent to messages is never freed, on purpose (comm/agree.h).
  [ "$status" = 0 ] || [ "$status" = 75 ] || leaks=0
  output=$(ASAN_OPTIONS=${ASAN_OPTIONS-}:detect_leaks=$leaks timeout 60 mpirun --oversubscribe --bind-to none -n "$ranks" "$PROGRAM" "$@" 2>&1 </dev/null)
  found=$?
  checks=$((checks + 1))
  for text in ${wanted[@]+"${wanted[@]}"}; do
    case "$output" in *"$text"*) ;; *) missing="$missing '$text'" ;; esac
  done
  errors=$(grep -c '^error: ' <<<"$output")
  [ "$found" = "$status" ] && [ -z "$missing" ] && [ "$errors" = "$((status != 0 && status != 75))" ] && return
  failures=$((failures + 1))
  printf 'FAILED: %s ranks, reformer %s\n  status %s, wanted %s; %s errors\n  missing:%s\n%s\n' "$ranks" "$*" "$found" \
    "$status" "$errors" "${missing:- nothing}" "$output"
}
